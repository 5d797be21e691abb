//! "Did you mean": the known name nearest to a misspelt one.

/// The nearest candidate, if it is near enough to be a slip: one edit for each four characters, three at most.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let bound = (word.chars().count() / 4).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Fewest edits from one word to the other: insert, delete, replace, swap neighbours.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut here = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let edits = [
                above[column] + usize::from(a != b),
                above[column + 1] + 1,
                here[column] + 1,
                if row > 0 && column > 0 && from[row - 1] == *b && to[column - 1] == *a {
                    before[column - 1] + 1
                } else {
                    usize::MAX
                },
            ];
            here.push(edits.into_iter().min().unwrap_or(usize::MAX));
        }
        before = std::mem::replace(&mut above, here);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_what_was_meant_and_strangers_do_not() {
        let known = ["server.bind", "server.path_prefix", "auth.jwt_secret"];

        assert_eq!(nearest("server.bnid", known), Some("server.bind"));
        assert_eq!(nearest("auth.jwt_secert", known), Some("auth.jwt_secret"));
        assert_eq!(nearest("server.Path-Prefix", known), Some("server.path_prefix"));
        assert_eq!(nearest("storage", known), None);
    }

    #[test]
    fn distance_counts_edits() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("bind", "bnid", 1),
            ("bind", "bin", 1),
            ("kitten", "sitting", 3),
        ];

        for (from, to, edits) in cases {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }
}
