//! A policy with one hook: it lets in everybody but those with the role `banned`, and says so.

use sluice_sdk::{Context, Decision, Denial, OnConnect, Policy, Subject};

/// The policy.
#[derive(Debug)]
pub struct Doorman;

impl Policy for Doorman {
    type Settings = ();
}

impl OnConnect for Doorman {
    fn on_connect(_: &Context<()>, subject: &Subject) -> Decision {
        if subject.has_role("banned") {
            return Decision::deny(Denial::new("banned", "You are not let in.").retry_after_s(60));
        }
        Decision::allow().with_label("door", "open")
    }
}

sluice_sdk::policy!(Doorman: OnConnect);
