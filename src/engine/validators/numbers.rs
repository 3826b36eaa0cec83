//! Numbers with check digits that people write in groups: cards and bank accounts. Not tokens.

/// A card number (ISO/IEC 7812-1, annex B); blanks and dashes between groups are skipped.
pub(super) fn luhn(secret: &[u8]) -> bool {
    let digits: Vec<u32> = ungrouped(secret).map(|byte| char::from(byte).to_digit(10).unwrap_or(u32::MAX)).collect();
    let plausible = (12..=19).contains(&digits.len()) && digits.iter().all(|&digit| digit < 10);
    let varied = digits.iter().any(|digit| Some(digit) != digits.first());
    plausible && varied && luhn_sum(&digits).is_multiple_of(10)
}

fn luhn_sum(digits: &[u32]) -> u32 {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    digits.iter().rev().enumerate().map(|(at, &digit)| if at % 2 == 1 { doubled(digit) } else { digit }).sum()
}

/// How long the numbers of each country are (SWIFT's IBAN registry).
#[rustfmt::skip]
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22),
    (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27),
    (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27),
    (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28),
    (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22),
    (b"MK", 19), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28),
    (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

/// A bank account number (ISO 13616): the rest of the rearranged number by 97 is 1.
pub(super) fn iban(secret: &[u8]) -> bool {
    let text: Vec<u8> = ungrouped(secret).collect();
    let shaped = matches!(text.as_slice(), [a, b, c, d, ..] if
        a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
    shaped
        && IBAN_LENGTHS.iter().any(|(country, len)| text.starts_with(*country) && text.len() == *len)
        && rest_by_97(text[4..].iter().chain(&text[..4])) == Some(1)
}

fn rest_by_97<'a>(mut text: impl Iterator<Item = &'a u8>) -> Option<u32> {
    text.try_fold(0, |rest, &byte| {
        let digit = char::from(byte).to_digit(36).filter(|_| !byte.is_ascii_lowercase())?;
        Some((rest * if digit < 10 { 10 } else { 100 } + digit) % 97)
    })
}

fn ungrouped(secret: &[u8]) -> impl Iterator<Item = u8> {
    secret.iter().copied().filter(|byte| !b" -".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `head` and the check digit that makes it a card number.
    fn card(head: &[u8]) -> Vec<u8> {
        let with = |digit: u8| [head, &[digit]].concat();
        (b'0'..=b'9').map(with).find(|card| luhn(card)).unwrap()
    }

    /// `country`, the two check digits computed as the standard says, and `account`.
    fn account(country: &[u8], account: &[u8]) -> Vec<u8> {
        let rest = rest_by_97(account.iter().chain(country).chain(b"00")).unwrap();
        [country, format!("{:02}", 98 - rest).as_bytes(), account].concat()
    }

    #[test]
    fn one_check_digit_in_ten_makes_a_card_number() {
        let head = [&[b'4'; 8], [b'2'; 7].as_slice()].concat();
        let passing = (b'0'..=b'9').filter(|&digit| luhn(&[head.as_slice(), &[digit]].concat())).count();
        assert_eq!(passing, 1);
        assert_eq!(luhn_sum(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3]), 70);
    }

    #[test]
    fn groups_are_read_as_one_number() {
        let grouped: Vec<u8> = card(&[b'3'; 15]).chunks(4).collect::<Vec<_>>().join(&b' ');
        assert!(luhn(&grouped));
        assert!(!luhn(&[b'0'; 16]), "all zeros are no card");
        assert!(!luhn(&card(&[b'3'; 15])[..11]));
        assert!(!luhn(b"not a number of digits"));
    }

    #[test]
    fn an_account_number_passes_with_its_check_digits_alone() {
        let iban_text = account(b"DE", &[b'3'; 18]);
        assert!(iban(&iban_text));
        assert!(iban(&account(b"GB", b"BANK00000012345678")));
        assert!(iban(&iban_text.chunks(4).collect::<Vec<_>>().join(&b' ')));
        let mut changed = iban_text.clone();
        changed[9] = b'4';
        assert!(!iban(&changed));
        assert!(!iban(&iban_text.to_ascii_lowercase()));
        assert!(!iban(b"DE"));
    }
}
