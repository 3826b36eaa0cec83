//! Which known name somebody meant.

/// The known name with the fewest edits to `name`; names that begin alike win a tie.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let alike = |other: &str| name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    known.into_iter().min_by_key(|other| (distance(name, other), std::cmp::Reverse(alike(other))))
}

/// Insertions, deletions and replacements that make one out of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = ["github-token", "gitlab-token", "api-key", "credential"];
        for (name, meant) in [("githb-token", "github-token"), ("apikey", "api-key"), ("credentials", "credential")] {
            assert_eq!(nearest(name, known), Some(meant));
        }
        assert_eq!(nearest("x", []), None);
    }
}
