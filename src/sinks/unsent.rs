//! What the system still holds of what it took, and whether anybody answers at the other end. Linux alone tells.
#![expect(unsafe_code, reason = "one ioctl that no library wraps: how many bytes of a socket have not arrived")]

use std::ffi::c_int;
use std::fs;
use std::io;

use rustix::fd::BorrowedFd;
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::{SocketAddr, getsockname};

/// `SIOCOUTQ` (tcp(7), unix(7)): bytes in the send queue of a TCP socket that the peer has not confirmed, or bytes of a Unix
/// socket that its peer has not read (a little more: the system counts its own headers).
const SIOCOUTQ: Opcode = 0x5411;

/// After so many resends in a row without an answer a peer is taken for gone: about 12 seconds, doubling from 200 ms.
const MAX_RESENDS: u64 = 6;

/// Bytes that have not arrived.
pub(super) fn bytes(socket: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: the opcode is SIOCOUTQ, which writes one `int` and takes no argument; a descriptor that is no socket makes it
    // fail.
    let bytes = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Whether the peer of a TCP socket does not answer any more: neither to data nor to the question whether its window, once
/// closed, is open again. `None` where the system does not tell.
pub(super) fn is_dead(socket: BorrowedFd<'_>) -> Option<bool> {
    let local = match SocketAddr::try_from(getsockname(socket).ok()?).ok()? {
        SocketAddr::V4(address) => row_key(&address.ip().octets(), address.port()),
        SocketAddr::V6(address) => row_key(&address.ip().octets(), address.port()),
    };
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].iter().find_map(|path| {
        let table = fs::read_to_string(path).ok()?;
        table.lines().skip(1).find_map(|row| resends(row, &local)).map(|resends| resends >= MAX_RESENDS)
    })
}

/// An address as `/proc/net/tcp` writes it: words of four bytes in the machine's order.
fn row_key(ip: &[u8], port: u16) -> String {
    let words = ip.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")));
    let words: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{words}:{port:04X}")
}

/// How often data, or a question to a closed window, was sent again without an answer, if `row` is of that connection.
///
/// Columns: number, local, remote, state, queues, timer, retransmits (hexadecimal), uid, unanswered probes (decimal).
fn resends(row: &str, local: &str) -> Option<u64> {
    let columns: Vec<&str> = row.split_ascii_whitespace().collect();
    let listening = "0A";
    if *columns.get(1)? != local || *columns.get(3)? == listening {
        return None;
    }
    let resent = u64::from_str_radix(columns.get(6)?, 16).ok()?;
    let probes = columns.get(8)?.parse::<u64>().ok()?;
    Some(resent.max(probes))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use rustix::fd::AsFd;

    use super::*;

    #[test]
    fn a_unix_peer_that_has_read_everything_leaves_nothing_unsent() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        ours.write_all(&[7; 1000]).unwrap();
        assert!(bytes(ours.as_fd()).unwrap() >= 1000);
        theirs.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(bytes(ours.as_fd()).unwrap(), 0);
    }

    #[test]
    fn a_tcp_peer_that_answers_is_not_dead() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _theirs = listener.accept().unwrap();
        assert_eq!(bytes(ours.as_fd()).unwrap(), 0);
        assert_eq!(is_dead(ours.as_fd()), Some(false));
    }

    #[test]
    fn a_row_of_the_systems_table_is_read() {
        let row = "   1: 0100007F:1770 0100007F:D9E2 01 00000010:00000000 01:00000014 00000007  1000        2 4711 2 0";
        assert_eq!(resends(row, &row_key(&[127, 0, 0, 1], 6000)), Some(7));
        assert_eq!(resends(row, &row_key(&[127, 0, 0, 1], 6001)), None);
        assert_eq!(resends("", "x"), None);
    }
}
