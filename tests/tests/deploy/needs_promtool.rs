//! Prometheus' own judgement of the rules, and whether each fires when it should and not before.

use std::process::Command;

use sluice_tests::{not_run, root};

use crate::files::{self, path, succeeds};

fn promtool() -> Result<Command, String> {
    files::program("SLUICE_PROMTOOL", "prometheus", "promtool").map(Command::new)
}

#[test]
fn the_rules_are_rules() {
    match promtool() {
        Ok(mut promtool) => {
            let check = promtool.args(["check", "rules"]).arg(path("prometheus/alerts.yaml"));
            succeeds("promtool check rules", check);
        }
        Err(why) => not_run("the check of the alert rules", &why),
    }
}

#[test]
fn each_rule_fires_when_it_should_and_not_before() {
    let stories = root().join("tests/tools/alerts_test.yaml");
    let text = std::fs::read_to_string(&stories).expect("text");
    for name in files::text("prometheus/alerts.yaml").split("- alert: ").skip(1) {
        let name = name.lines().next().unwrap_or_default();
        let named = format!("alertname: {name}\n");
        let stories = text.split(&named).skip(1);
        let quiet =
            stories.clone().filter(|story| story.trim_start().starts_with("exp_alerts: []"));
        let (all, quiet) = (stories.count(), quiet.count());
        assert!(quiet > 0 && quiet < all, "{name}: one that fires, one that does not");
    }
    match promtool() {
        Ok(mut promtool) => {
            succeeds("promtool test rules", promtool.args(["test", "rules"]).arg(stories));
        }
        Err(why) => not_run("the stories of the alert rules", &why),
    }
}
