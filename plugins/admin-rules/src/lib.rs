//! What administrators may do, from where and when, and for what they have to give a reason.
//!
//! Rules are looked at in order, and the first that fits decides; what no rule is about is allowed.

use serde::Deserialize;
use sluice_sdk::{AdminAction, Context, Decision, Denial, OnAdmin, Policy, Subject, When, Who};

/// Settings of the plugin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Names of actions; one that ends in `*` stands for all that begin so. None stands for all.
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    who: Who,
    #[serde(default)]
    when: When,
    then: Then,
    /// What an administrator reads who is refused.
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Then {
    Allow,
    /// Allowed with a reason.
    AskReason,
    Deny,
}

/// What the rules look at of an action's arguments.
#[derive(Deserialize)]
struct Arguments {
    reason: Option<String>,
}

/// The policy.
#[derive(Debug)]
pub struct AdminRules;

impl Policy for AdminRules {
    type Settings = Settings;
}

impl OnAdmin for AdminRules {
    fn on_admin(cx: &Context<Settings>, subject: &Subject, action: &AdminAction) -> Decision {
        let rule = cx.settings.rules.iter().find(|rule| {
            names(&rule.actions, &action.name)
                && rule.who.fits(subject)
                && rule.when.fits(subject.now)
        });
        let Some(rule) = rule else { return Decision::allow() };
        let text = |usual| rule.text.as_deref().unwrap_or(usual).to_owned();
        match rule.then {
            Then::Allow => Decision::allow(),
            Then::AskReason if has_reason(action) => Decision::allow(),
            Then::AskReason => {
                Decision::deny(Denial::new("reason_required", text("Please give a reason.")))
            }
            Then::Deny => Decision::deny(Denial::new(
                "admin_rules",
                text("You may not do this here and now."),
            )),
        }
    }
}

fn names(actions: &[String], name: &str) -> bool {
    actions.is_empty()
        || actions.iter().any(|action| match action.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == action,
        })
}

fn has_reason(action: &AdminAction) -> bool {
    let arguments = serde_json::from_str::<Arguments>(&action.arguments);
    let reason = arguments.ok().and_then(|arguments| arguments.reason);
    reason.is_some_and(|reason| !reason.trim().is_empty())
}

sluice_sdk::policy!(AdminRules: OnAdmin);
sluice_sdk::manifest!("");

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"{"rules": [
        {"who": {"users": ["root"]}, "then": "allow"},
        {"actions": ["takeover"], "then": "ask-reason"},
        {"actions": ["read-*"], "when": {"from": "08:00", "to": "18:00"}, "then": "allow"},
        {"actions": ["read-*", "revoke-user"], "then": "deny", "text": "Not at night."}
    ]}"#;

    /// Code of the denial, at noon or at midnight.
    fn asked(user: &str, name: &str, arguments: &str, hour: u64) -> Option<String> {
        let cx = Context::<Settings>::read(RULES).unwrap();
        let subject = Subject { now: hour * 3_600_000, ..Subject::of(user) };
        let action =
            AdminAction { name: name.to_owned(), target: None, arguments: arguments.to_owned() };
        AdminRules::on_admin(&cx, &subject, &action).denial().map(|denial| denial.code.clone())
    }

    #[test]
    fn what_no_rule_is_about_is_allowed() {
        assert_eq!(asked("a", "list-sessions", "{}", 0), None);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        assert_eq!(asked("a", "read-session", "{}", 12), None);
        assert_eq!(asked("a", "read-session", "{}", 0).as_deref(), Some("admin_rules"));
        assert_eq!(asked("root", "read-session", "{}", 0), None);
        assert_eq!(asked("a", "revoke-user", "{}", 12).as_deref(), Some("admin_rules"));
    }

    #[test]
    fn a_reason_is_a_text_that_says_something() {
        for arguments in
            ["{}", r#"{"reason": null}"#, r#"{"reason": "  "}"#, r#"{"reason": 1}"#, ""]
        {
            let denied = asked("a", "takeover", arguments, 12);
            assert_eq!(denied.as_deref(), Some("reason_required"), "{arguments}");
        }
        assert_eq!(asked("a", "takeover", r#"{"reason": "asked for help"}"#, 12), None);
    }
}
