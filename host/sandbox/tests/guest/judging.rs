//! Policies, as real components: each hook says what it is asked, a hook that is not there is not asked, and one that misbehaves
//! costs its own call.

use std::sync::Arc;
use std::time::Duration;

use sluice_chat::event::Usage;
use sluice_chat::exchange::Field;
use sluice_chat::id::Instant;
use sluice_chat::policy::{
    AdminAction, Caller, Channel, Edit, Outcome, OutputVerdict, Principal, Span, Subject, Window,
};
use sluice_sandbox::{Budget, CallError, Hook, Limits, LoadError, Plugin, Policy, Sandbox};

use crate::component::{component, plugin};
use crate::world::{ask, load_bytes, sandbox};

async fn judge(sandbox: &Sandbox, settings: &str) -> Policy {
    let bytes = component("judge");
    sandbox.load_policy("judge", &bytes, None, Limits::default(), settings).await.expect("a policy")
}

fn subject(role: &str) -> Subject {
    Subject {
        caller: Arc::new(Caller {
            principal: Principal {
                id: "u".to_owned(),
                roles: vec![role.to_owned()],
                ..Principal::default()
            },
            ..Caller::default()
        }),
        now: Instant(1),
        ..Subject::default()
    }
}

fn outcome() -> Outcome {
    Outcome {
        usage: Usage { input_tokens: Some(3), output_tokens: Some(4), ..Usage::default() },
        estimated: false,
        cost_micros: None,
        duration_ms: 5,
        first_piece_ms: None,
        ended: "stop",
    }
}

fn revoke() -> AdminAction {
    AdminAction { name: "revoke-user".to_owned(), target: None, arguments: "{}".into() }
}

#[tokio::test]
async fn a_policy_has_the_hooks_that_it_exports() {
    let sandbox = sandbox(1);
    let bytes = component("doorman");
    let load = sandbox.load_policy("doorman", &bytes, None, Limits::default(), "{}");
    let doorman = load.await.unwrap();
    let judge = judge(&sandbox, "{}").await;

    let hooks = |policy: &Policy| Hook::ALL.map(|hook| policy.has(hook));
    assert_eq!(hooks(&doorman), Hook::ALL.map(|hook| hook == Hook::Connect));
    assert_eq!(hooks(&judge), [true; 5]);

    let denied = doorman.on_connect(&subject("banned"), 0).await.unwrap().denial.unwrap();
    assert_eq!((denied.code.as_str(), denied.retry_after_s), ("banned", Some(60)));
    let allowed = doorman.on_connect(&subject("staff"), 0).await.unwrap();
    assert_eq!(allowed.denial, None);
    let label = Field { name: "door".to_owned(), value: "open".to_owned() };
    assert_eq!(allowed.note.labels, [label]);
    assert_eq!(doorman.on_admin(&subject("banned"), &revoke(), 0).await.unwrap().denial, None);
    assert!(doorman.filter(&subject("banned"), 0).await.unwrap().is_none());
}

#[tokio::test]
async fn every_hook_says_what_it_was_asked() {
    let settings = r#"{"message": "append", "admin": "deny", "usage": "settle", "with": "!"}"#;
    let judge = judge(&sandbox(1), settings).await;
    let subject = subject("staff");

    let message = judge.on_message(&subject, &ask("m"), 0).await.unwrap();
    let [Edit::ReplaceLast(edited)] = &message.edits[..] else { panic!("{message:?}") };
    assert_eq!(
        edited,
        &sluice_chat::request::Message::text(sluice_chat::request::Role::User, "hello!")
    );
    let denied = judge.on_admin(&subject, &revoke(), 0).await.unwrap().denial.unwrap();
    assert_eq!(denied.text, "The house says no to revoke-user.");
    let usage = judge.on_usage(&subject, &outcome(), 0).await.unwrap();
    assert_eq!((usage.settle[0].name.as_str(), usage.settle[0].actual), ("!", 7));
    assert_eq!(usage.note.text.as_deref(), Some("stop 7"));
}

#[tokio::test]
async fn what_a_policy_reserves_and_where_it_leads_comes_through() {
    let sandbox = sandbox(1);
    let reserving = judge(&sandbox, r#"{"message": "reserve", "with": "day", "limit": 100}"#).await;
    let leading = judge(&sandbox, r#"{"message": "reroute", "with": "other"}"#).await;
    let subject = subject("staff");

    let reserved = reserving.on_message(&subject, &ask("m"), 0).await.unwrap().reserve;
    assert_eq!((reserved[0].amount, reserved[0].limit, reserved[0].window), (1, 100, Window::Day));
    let led = leading.on_message(&subject, &ask("m"), 0).await.unwrap().edits;
    assert_eq!(led, [Edit::Reroute("other".to_owned())]);
}

#[tokio::test]
async fn a_filter_sees_one_answer_and_says_what_to_hold_back() {
    let sandbox = sandbox(1);
    let judge = judge(&sandbox, r#"{"output": "redact"}"#).await;
    let mut filter = judge.filter(&subject("staff"), 0).await.unwrap().unwrap();

    let first = filter.check(Channel::Text, "a secret and a sec", false).await.unwrap();
    let gone = Span { start: 2, end: 8, replacement: "[gone]".to_owned() };
    assert_eq!(first.verdict, OutputVerdict::Redact(vec![gone]));
    assert_eq!(first.hold, 3);
    let last = filter.check(Channel::Text, "sec", true).await.unwrap();
    assert_eq!((last.verdict, last.hold), (OutputVerdict::Pass, 0));
    assert_eq!(filter.finish().await.unwrap().labels[0].name, "filtered");
    assert_eq!(sandbox.instances(), 0);
}

#[tokio::test]
async fn each_call_is_made_in_a_fresh_instance() {
    let judge = judge(&sandbox(1), r#"{"connect": "count"}"#).await;
    for _ in 0..3 {
        let note = judge.on_connect(&subject("staff"), 0).await.unwrap().note;
        assert_eq!(note.text.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn a_hook_that_misbehaves_costs_its_own_call() {
    let (sandbox, judge) = (sandbox(1), component("judge"));
    for word in ["spin", "trap", "hoard"] {
        let settings = format!(r#"{{"connect": "{word}", "output": "{word}"}}"#);
        // Long enough for a guest that fills its memory on a busy machine.
        let (hook, window) = (Duration::from_millis(500), Duration::from_millis(500));
        let limits = Limits { hook, window, ..Limits::default() };
        let load = sandbox.load_policy("judge", &judge, None, limits, &settings);
        let judge = load.await.unwrap();
        let error = judge.on_connect(&subject("staff"), 0).await.unwrap_err();
        let filter = judge.filter(&subject("staff"), 0).await.unwrap();
        let mut filter = filter.unwrap();
        let filtered = filter.check(Channel::Text, "x", false).await.unwrap_err();
        for error in [error, filtered] {
            match word {
                "spin" => assert!(matches!(error, CallError::TimedOut(Budget::Call)), "{error:?}"),
                "trap" => assert!(matches!(error, CallError::Trapped { .. }), "{error:?}"),
                _ => assert!(matches!(error, CallError::OutOfMemory), "{error:?}"),
            }
        }
        let after = filter.check(Channel::Text, "x", false).await;
        assert!(matches!(after, Err(CallError::Poisoned)), "{after:?}");
        assert!(judge.on_message(&subject("staff"), &ask("m"), 0).await.is_ok());
    }
    assert_eq!(sandbox.instances(), 0);
}

#[tokio::test]
async fn a_plugin_is_of_one_kind() {
    let sandbox = sandbox(1);
    let as_policy =
        sandbox.load_policy("echo", &plugin("echo"), None, Limits::default(), "{}").await;
    assert!(matches!(as_policy, Err(LoadError::NoPolicy)), "{as_policy:?}");
    let as_provider = load_bytes(&component("judge")).await;
    assert!(matches!(as_provider, Err(LoadError::NoProvider { .. })), "{as_provider:?}");

    for (name, bytes, is_policy) in
        [("echo", plugin("echo"), false), ("judge", component("judge"), true)]
    {
        let load = sandbox.load_plugin(name, &bytes, None, Limits::default(), "{}");
        assert_eq!(matches!(load.await.unwrap(), Plugin::Policy(_)), is_policy);
    }
}

#[tokio::test]
async fn settings_that_a_policy_cannot_read_are_refused_at_load() {
    let bytes = component("judge");
    let load = sandbox(1);
    let load =
        load.load_policy("judge", &bytes, None, Limits::default(), r#"{"konnect": "deny"}"#).await;
    let Err(LoadError::Settings { error }) = load else { panic!("{load:?}") };
    assert!(error.detail.unwrap().contains("konnect"));
}

/// The policies that come with the gateway, with settings that look for much.
#[tokio::test]
async fn the_bundled_policies_fit_and_have_time_enough() {
    let sandbox = sandbox(1);
    for (name, hooks) in [
        ("access", vec![Hook::Connect, Hook::Message]),
        ("admin-rules", vec![Hook::Admin]),
        ("budget", vec![Hook::Message, Hook::Usage]),
        ("guard", vec![Hook::Message, Hook::Output]),
    ] {
        let bytes = plugin(name);
        let load = sandbox.load_policy(name, &bytes, None, Limits::default(), "{}");
        let policy = load.await.unwrap();
        assert_eq!(policy.hooks().collect::<Vec<_>>(), hooks, "{name}");
        for hook in hooks {
            match hook {
                Hook::Connect => {
                    policy.on_connect(&subject("staff"), 0).await.unwrap();
                }
                Hook::Message => {
                    policy.on_message(&subject("staff"), &ask("m"), 0).await.unwrap();
                }
                Hook::Admin => {
                    policy.on_admin(&subject("staff"), &revoke(), 0).await.unwrap();
                }
                Hook::Usage => {
                    policy.on_usage(&subject("staff"), &outcome(), 0).await.unwrap();
                }
                Hook::Output => {
                    let filter = policy.filter(&subject("staff"), 0).await.unwrap();
                    let mut filter = filter.unwrap();
                    let text = format!("{} 4111 1111 1111 1111.", "word ".repeat(800));
                    let judged = filter.check(Channel::Text, &text, true).await.unwrap();
                    assert!(
                        matches!(judged.verdict, OutputVerdict::Redact(spans) if spans.len() == 1)
                    );
                }
            }
        }
    }
}
