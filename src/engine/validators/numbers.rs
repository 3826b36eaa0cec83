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

/// A bank account number (ISO 13616): the rest of the rearranged number by 97 is 1.
pub(super) fn iban(secret: &[u8]) -> bool {
    let text: Vec<u8> = ungrouped(secret).collect();
    let shaped = matches!(text.as_slice(), [a, b, c, d, ..] if
        a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
    shaped && (15..=34).contains(&text.len()) && rest_by_97(text[4..].iter().chain(&text[..4])) == Some(1)
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
