//! Who may use which model, from where and when.
//!
//! Rules are looked at in order, and the first that fits decides.

use serde::Deserialize;
use sluice_sdk::{
    ChatRequest, Context, Decision, Denial, MessageDecision, OnConnect, OnMessage, Policy, Subject,
    When, Who,
};

/// Settings of the plugin. Without any, all is allowed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    rules: Vec<Rule>,
    /// What is done where no rule fits.
    otherwise: Then,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Public ids of models; an id that ends in `*` stands for all that begin so. None stands for all.
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    who: Who,
    #[serde(default)]
    when: When,
    then: Then,
    /// What a user reads who is refused.
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    #[default]
    Allow,
    Deny,
}

/// The policy.
#[derive(Debug)]
pub struct Access;

impl Policy for Access {
    type Settings = Settings;
}

impl OnConnect for Access {
    /// A connection that has not named a model is refused only where no model would be allowed: a rule about models that fits otherwise
    /// leaves it to the message.
    fn on_connect(cx: &Context<Settings>, subject: &Subject) -> Decision {
        decide(&cx.settings, subject)
    }
}

impl OnMessage for Access {
    fn on_message(cx: &Context<Settings>, subject: &Subject, _: &ChatRequest) -> MessageDecision {
        decide(&cx.settings, subject).into()
    }
}

fn decide(settings: &Settings, subject: &Subject) -> Decision {
    let fits = |rule: &&Rule| rule.who.fits(subject) && rule.when.fits(subject.now);
    for rule in settings.rules.iter().filter(fits) {
        match &subject.model {
            None if !rule.models.is_empty() => return Decision::allow(),
            Some(model) if !names(&rule.models, model) => {}
            Some(_) | None => return said(rule.then, rule.text.as_deref()),
        }
    }
    said(settings.otherwise, None)
}

fn names(models: &[String], model: &str) -> bool {
    models.is_empty()
        || models.iter().any(|named| match named.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => model == named,
        })
}

fn said(then: Then, text: Option<&str>) -> Decision {
    match then {
        Then::Allow => Decision::allow(),
        Then::Deny => Decision::deny(Denial::new(
            "access",
            text.unwrap_or("You may not use this here and now."),
        )),
    }
}

sluice_sdk::policy!(Access: OnConnect, OnMessage);
sluice_sdk::manifest!("");

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(settings: &str, roles: &[&str], model: Option<&str>) -> Option<String> {
        let cx = Context::<Settings>::read(settings).unwrap();
        let mut subject = Subject::of("u");
        subject.principal.roles = roles.iter().map(ToString::to_string).collect();
        subject.model = model.map(str::to_owned);
        let decision = match model {
            None => Access::on_connect(&cx, &subject),
            Some(id) => Access::on_message(&cx, &subject, &ChatRequest::new(id)).decision,
        };
        decision.denial().map(|denial| denial.text.clone())
    }

    const STAFF_ONLY: &str = r#"{
        "rules": [
            {"who": {"roles": ["banned"]}, "then": "deny", "text": "Go away."},
            {"models": ["small"], "then": "allow"},
            {"models": ["big-*"], "who": {"roles": ["staff"]}, "then": "allow"}
        ],
        "otherwise": "deny"
    }"#;

    #[test]
    fn without_rules_all_is_allowed() {
        assert_eq!(asked("{}", &[], None), None);
        assert_eq!(asked("{}", &[], Some("m")), None);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        assert_eq!(asked(STAFF_ONLY, &[], Some("small")), None);
        assert_eq!(asked(STAFF_ONLY, &["staff"], Some("big-2")), None);
        assert!(asked(STAFF_ONLY, &[], Some("big-2")).is_some());
        assert!(asked(STAFF_ONLY, &["staff"], Some("other")).is_some());
        assert_eq!(asked(STAFF_ONLY, &["staff", "banned"], Some("small")).unwrap(), "Go away.");
    }

    #[test]
    fn a_connection_is_refused_only_where_no_model_would_be_allowed() {
        assert_eq!(asked(STAFF_ONLY, &[], None), None);
        assert_eq!(asked(STAFF_ONLY, &["banned"], None).unwrap(), "Go away.");
        assert!(asked(r#"{"otherwise": "deny"}"#, &[], None).is_some());
    }
}
