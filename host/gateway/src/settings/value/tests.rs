use std::collections::BTreeMap;

use super::*;

fn read(kind: Kind, text: &str) -> Result<Typed, Wrongs> {
    kind.read(Raw::Variable(text), &Vault::new(&BTreeMap::new()))
}

#[test]
fn a_prefix_is_empty_or_a_path_without_a_slash_at_its_end() {
    let cases = [
        ("/", Some("")),
        ("/chatbox", Some("/chatbox")),
        ("/a/b/", Some("/a/b")),
        ("chatbox", None),
        ("//", None),
        ("/a//b", None),
        ("/a/../b", None),
        ("/a b", None),
        ("/{id}", None),
        ("/a?b", None),
    ];

    for (written, expected) in cases {
        let expected = expected.map(|text| Typed::Text(text.into()));
        assert_eq!(read(Kind::Prefix, written).ok(), expected, "{written}");
    }
}

#[test]
fn log_directives_are_levels_with_or_without_a_target() {
    for good in ["info", "off", "warn,sluice=debug", "sluice_gateway::session=trace"] {
        assert!(read(Kind::Filter, good).is_ok(), "{good}");
    }
    for bad in ["verbose", "INFO", "info,", "=debug", "a b=debug", "sluice=loud"] {
        assert!(read(Kind::Filter, bad).is_err(), "{bad}");
    }
}

#[test]
fn origins_are_nobody_everybody_or_a_list() {
    assert_eq!(read(Kind::Origins, " , "), Ok(Typed::Origins(Origins::Same)));
    assert_eq!(read(Kind::Origins, "*"), Ok(Typed::Origins(Origins::Any)));
    assert_eq!(
        read(Kind::Origins, "https://a.example, http://b.example:81"),
        Ok(Typed::Origins(Origins::List(vec![
            "https://a.example".into(),
            "http://b.example:81".into()
        ])))
    );
    assert_eq!(
        read(Kind::Origins, "*,https://your-domain.example,nonsense,https://u:pw@a.example"),
        Err(vec![
            "names \"*\" beside others".into(),
            "\"https://your-domain.example\" is still a placeholder".into(),
            "\"nonsense\" is not an origin".into(),
            "names something that is not an origin".into(),
        ])
    );
}

#[test]
fn bounds_are_inclusive() {
    for (text, fits) in
        [("0", false), ("1", true), ("5", true), ("6", false), ("-1", false), ("1.0", false)]
    {
        assert_eq!(read(Kind::Count(1, 5), text).is_ok(), fits, "{text}");
    }
    for (text, fits) in [("9ms", false), ("10ms", true), ("1s", true), ("1001ms", false)] {
        assert_eq!(read(Kind::Duration(10, 1_000), text).is_ok(), fits, "{text}");
    }
    for (text, fits) in [("1023B", false), ("1KiB", true), ("2048", true), ("2049", false)] {
        assert_eq!(read(Kind::Size(1_024, 2_048), text).is_ok(), fits, "{text}");
    }
}

#[test]
fn a_variable_is_never_taken_for_another_type() {
    for text in ["1234567890123456", "true", "[1]", "{a=1}", "\"quoted\""] {
        assert_eq!(read(Kind::Text(64), text), Ok(Typed::Text(text.into())));
        let Ok(Typed::Secrets(secrets)) = read(Kind::Secret, text) else { panic!("{text}") };
        assert_eq!(secrets.first().map(Secret::expose), Some(text));
    }
}

#[test]
fn every_bad_entry_of_a_list_is_named() {
    let wrongs = read(Kind::Networks, "10.0.0.0/8,here,10.0.0.0/99").unwrap_err();

    assert_eq!(wrongs, ["\"here\" is not a network", "\"10.0.0.0/99\" is not a network"]);
}
