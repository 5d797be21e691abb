//! What the person types, line by line.

use std::io::BufRead as _;

use tokio::sync::mpsc;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Say(String),
    Models,
    Model(String),
    New,
    Quit,
    Help,
    /// A command that does not exist.
    Unknown(String),
}

/// The commands, for `/help`.
pub(super) const HELP: &str = "/models lists the models, /model ID chooses one, /new begins anew, /quit leaves; \
     Ctrl-C stops an answer";

/// Reads a line; `None` when nothing is on it.
pub(super) fn parse(line: &str) -> Option<Line> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return (!line.is_empty()).then(|| Line::Say(line.to_owned()));
    };
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    Some(match (name, rest.trim()) {
        ("models" | "model", "") => Line::Models,
        ("model", id) => Line::Model(id.to_owned()),
        ("new", "") => Line::New,
        ("quit" | "exit", "") => Line::Quit,
        ("help", "") => Line::Help,
        _ => Line::Unknown(name.to_owned()),
    })
}

/// Reads standard input on a thread of its own, which a terminal can block for ever.
pub(super) fn lines() -> mpsc::Receiver<Line> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let typed = std::io::stdin().lock().lines().map_while(Result::ok);
        for line in typed.filter_map(|line| parse(&line)) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_a_stroke_and_all_else_is_said() {
        assert_eq!(parse(" hello there "), Some(Line::Say("hello there".to_owned())));
        assert_eq!(parse("/model local"), Some(Line::Model("local".to_owned())));
        assert_eq!(parse("/models"), Some(Line::Models));
        assert_eq!(parse("/new"), Some(Line::New));
        assert_eq!(parse("/dance"), Some(Line::Unknown("dance".to_owned())));
        assert_eq!(parse("   "), None);
    }
}
