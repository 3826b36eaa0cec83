//! The `inkout` program.
#![allow(clippy::unwrap_used)]
use std::io::{Read, Write};
fn main() {
    let mut b = Vec::new();
    std::io::stdin().read_to_end(&mut b).unwrap();
    let set = inkout::rules::Catalog::builtin().set;
    let e =
        inkout::engine::Engine::compile(set, Default::default(), &Default::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut s = e.scratch();
    let (m, _, t) = e.redact(&mut s, &Default::default(), b.into());
    std::io::stdout().write_all(m.as_bytes()).unwrap();
    if std::env::var("STATS").is_ok() {
        let per = |n: u64| n as f64 / (t.bytes_in as f64 / 1e6);
        for (r, n) in &t.findings {
            eprintln!("{:>8} {}", n, e.rules()[r.index()].id);
        }
        let mut c: Vec<_> = e.costs(&s).iter().enumerate().collect();
        c.sort_by_key(|(_, c)| std::cmp::Reverse(c.regex_calls + c.candidates));
        for (r, c) in c.iter().take(25) {
            eprintln!("{:>9.1} {:>9.1} {}", per(c.candidates), per(c.regex_calls), e.rules()[*r].id);
        }
        eprintln!(
            "cand {:.0} lit {:.0} surv {:.0} regex {:.1} per MB",
            per(t.candidates),
            per(t.literals),
            per(t.survivors),
            per(t.regex_calls)
        );
    }
}
