//! As much of Prometheus' query language as it takes to say which series an expression reads.

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Metrics.
    pub(crate) metrics: BTreeSet<String>,
    /// Labels that select: metric, label, value as it is written.
    pub(crate) selected: BTreeSet<(String, String, String)>,
    /// Labels that group or join.
    pub(crate) grouping: BTreeSet<String>,
    /// Functions and aggregations.
    pub(crate) functions: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const BETWEEN: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// Reads an expression.
pub(crate) fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let mut names = Names::default();
    let mut last_metric = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let followed_by = |sign| tokens.get(at + 1) == Some(&Token::Sign(sign));
        match token {
            Token::Word(word) if GROUPING.contains(&word.as_str()) => {
                let end = closing(&tokens, at, '(', ')');
                names.grouping.extend(words(&tokens[at + 1..end]));
                at = end;
            }
            Token::Word(word) if BETWEEN.contains(&word.as_str()) => {}
            Token::Word(word) if word.starts_with(|first: char| first.is_ascii_digit()) => {}
            Token::Word(word) if followed_by('(') || is_aggregation(word, tokens.get(at + 1)) => {
                names.functions.insert(word.clone());
            }
            Token::Word(word) => {
                last_metric.clone_from(word);
                names.metrics.insert(word.clone());
            }
            Token::Sign('{') => {
                let end = closing(&tokens, at, '{', '}');
                for pair in tokens[at + 1..end].split(|token| *token == Token::Sign(',')) {
                    let (Some(Token::Word(label)), Some(Token::Text(value))) =
                        (pair.first(), pair.last())
                    else {
                        panic!("no label and value in {expression}: {pair:?}");
                    };
                    names.selected.insert((last_metric.clone(), label.clone(), value.clone()));
                }
                at = end;
            }
            Token::Sign('[') => at = closing(&tokens, at, '[', ']'),
            Token::Sign(_) | Token::Text(_) => {}
        }
        at += 1;
    }
    names
}

/// `sum by (…) (…)`.
fn is_aggregation(word: &str, next: Option<&Token>) -> bool {
    let grouped =
        matches!(next, Some(Token::Word(next)) if ["by", "without"].contains(&next.as_str()));
    grouped && ["sum", "max", "min", "avg", "count", "topk"].contains(&word)
}

/// Where the bracket closes that is opened at `from` or right after it.
fn closing(tokens: &[Token], from: usize, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if *token == Token::Sign(open) {
            depth += 1;
        } else if *token == Token::Sign(close) {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    panic!("{open} is not closed: {tokens:?}")
}

fn words(tokens: &[Token]) -> impl Iterator<Item = String> + '_ {
    tokens.iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.clone()),
        Token::Text(_) | Token::Sign(_) => None,
    })
}

fn tokens(expression: &str) -> Vec<Token> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_:.$".contains(c);
    let mut tokens = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' {
            tokens.push(Token::Text(rest.by_ref().take_while(|c| *c != '"').collect()));
        } else if is_word(first) {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|next| is_word(*next)) {
                word.push(next);
            }
            tokens.push(Token::Word(word));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn metrics_are_told_from_functions_labels_and_texts() {
        let names = names(
            r#"histogram_quantile(0.95, sum by (provider, le) (rate(a_bucket{job="$job", x=~"b_c"}[5m]))) > 5e3
               and on (instance) d_total offset 5m / max(e:f) unless g"#,
        );

        assert_eq!(names.metrics, set(&["a_bucket", "d_total", "e:f", "g"]));
        assert_eq!(names.grouping, set(&["provider", "le", "instance"]));
        assert_eq!(names.functions, set(&["histogram_quantile", "sum", "rate", "max"]));
        let select =
            |label: &str, value: &str| ("a_bucket".to_owned(), label.to_owned(), value.to_owned());
        assert_eq!(names.selected, [select("job", "$job"), select("x", "b_c")].into());
    }

    #[test]
    fn a_range_and_a_variable_in_it_are_no_metrics() {
        assert_eq!(names("rate(a[$__rate_interval])").metrics, set(&["a"]));
    }
}
