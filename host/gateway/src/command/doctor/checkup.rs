//! What is looked at, in order: first what anybody may ask, then what a user may.

use std::error::Error as _;
use std::time::Instant;

use serde_json::Value;
use sluice_upstream::{ExchangeError, Visit, Visitor};
use sluice_wire::server::parse_timestamp;

use super::finding::{Finding, Outcome};
use super::socket;
use crate::clock;
use crate::command::chain;

/// A difference of clocks that is more than an answer's way and the rounding to whole seconds, in seconds.
const SKEW_WORTH_A_LOOK: u64 = 5;
/// From here on fresh tokens are refused: `auth.leeway` as it comes.
const SKEW_THAT_BREAKS: u64 = 30;

/// Whether the process lives. Returns whether there is a gateway at all.
pub(super) async fn health(visitor: &Visitor, report: &mut impl FnMut(Finding)) -> bool {
    let asked = (clock::now().0, Instant::now());
    let health = match visitor.get("/healthz").await {
        Ok(health) => health,
        Err(error) => {
            report(Finding::failed("health", unreachable_because(&error)));
            return false;
        }
    };
    let took = asked.1.elapsed();
    let body = json(&health);
    if health.status != 200 || body["status"] != "healthy" {
        report(Finding::failed("health", no_gateway(&health)).after(took));
        return false;
    }
    report(Finding::fine("health", "the process lives").after(took));
    report(version(&body));
    // The clock was read somewhere between asking and hearing: the middle is the best guess.
    let halfway = u64::try_from(took.as_millis() / 2).unwrap_or(u64::MAX);
    report(skew(&body, asked.0.saturating_add(halfway)));
    true
}

fn unreachable_because(error: &ExchangeError) -> String {
    let cause = error.source().map_or_else(|| "it took too long".to_owned(), chain);
    format!("no answer: {cause}; is the address right, and the gateway or its proxy running?")
}

fn no_gateway(answer: &Visit) -> String {
    match answer.status {
        301 | 302 | 307 | 308 => {
            format!("{}: a redirect; is the address right, https included?", answer.status)
        }
        404 => "404: no gateway at this path; is server.path_prefix (/chatbox unless changed) in the address?".to_owned(),
        421 => "421: the gateway does not go by this name; set server.public_url to this address".to_owned(),
        429 => "429: asked too often from here (limits.public)".to_owned(),
        502..=504 => format!("{}: the proxy reaches no gateway", answer.status),
        status => format!("{status}: that is not what a gateway answers"),
    }
}

fn version(health: &Value) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    match health["version"].as_str() {
        Some(theirs) if theirs == ours => Finding::fine("version", format!("{theirs}, as here")),
        Some(theirs) => {
            let detail = format!("the gateway is {theirs}, this program is {ours}");
            Finding::new("version", Outcome::Worrying, detail)
        }
        None => Finding::new("version", Outcome::Worrying, "the gateway does not say its version"),
    }
}

fn skew(health: &Value, here_ms: u64) -> Finding {
    let Some(there) = health["timestamp"].as_str().and_then(parse_timestamp) else {
        return Finding::failed("clock", "the gateway does not tell the time");
    };
    // Told in whole seconds: half a second is the best guess for what was cut off.
    let apart = (there.0 + 500).abs_diff(here_ms) / 1000;
    let detail = format!("{apart} s apart from the gateway's");
    match apart {
        0..SKEW_WORTH_A_LOOK => Finding::fine("clock", detail),
        SKEW_WORTH_A_LOOK..SKEW_THAT_BREAKS => Finding::new("clock", Outcome::Worrying, detail),
        SKEW_THAT_BREAKS.. => {
            Finding::failed("clock", format!("{detail}: tokens will be refused; set the clocks"))
        }
    }
}

/// Whether it can store and answer.
pub(super) async fn readiness(visitor: &Visitor) -> Finding {
    let asked = Instant::now();
    let ready = match visitor.get("/readyz").await {
        Ok(ready) => ready,
        Err(error) => return Finding::failed("readiness", unreachable_because(&error)),
    };
    judge_readiness(&ready).after(asked.elapsed())
}

fn judge_readiness(ready: &Visit) -> Finding {
    let checks = json(ready);
    let Some(checks) = checks["checks"].as_object() else {
        return Finding::failed("readiness", no_gateway(ready));
    };
    let failed: Vec<_> = checks
        .iter()
        .filter(|(_, check)| check["status"] != "ok")
        .map(|(name, _)| &**name)
        .collect();
    if !failed.is_empty() || ready.status != 200 {
        let detail = format!("does not take traffic: {}", failed.join(", "));
        return Finding::failed("readiness", detail);
    }
    let durability = checks.get("archive").and_then(|archive| archive["durability"].as_str());
    if durability == Some("full") {
        Finding::fine("readiness", "takes traffic and keeps it")
    } else {
        let detail = "takes traffic; the archive promises less than a replica set would";
        Finding::new("readiness", Outcome::Worrying, detail)
    }
}

/// What a user may ask: the token, a socket, one turn. What was said is deleted afterwards.
pub(super) async fn client(
    visitor: &Visitor,
    has_token: bool,
    model: Option<&str>,
    report: &mut impl FnMut(Finding),
) {
    if !has_token {
        for check in ["token", "socket", "turn"] {
            report(Finding::new(check, Outcome::NotAsked, "no token: --token or SLUICE_TOKEN"));
        }
        return;
    }
    let asked = Instant::now();
    let finding = match visitor.get("/sessions").await {
        Ok(answer) => judge_token(&answer),
        Err(error) => Finding::failed("token", unreachable_because(&error)),
    };
    let is_taken = finding.outcome == Outcome::Fine;
    report(finding.after(asked.elapsed()));
    if !is_taken {
        return;
    }
    let asked = Instant::now();
    match socket::Socket::open(visitor).await {
        Err(detail) => report(Finding::failed("socket", detail)),
        Ok(mut socket) => {
            let detail = format!("open for {}", socket.user());
            report(Finding::fine("socket", detail).after(asked.elapsed()));
            report(turn(visitor, &mut socket, model).await);
        }
    }
}

fn judge_token(answer: &Visit) -> Finding {
    let code = json(answer)["code"].as_str().unwrap_or_default().to_owned();
    match answer.status {
        200 => Finding::fine("token", "taken"),
        401 if code == "EXPIRED_TOKEN" => Finding::failed("token", "it has expired"),
        401 => Finding::failed(
            "token",
            "refused: another secret or key signed it, or issuer or audience are not the gateway's",
        ),
        status => Finding::failed("token", format!("{status} {code}").trim_end().to_owned()),
    }
}

async fn turn(visitor: &Visitor, socket: &mut socket::Socket, wanted: Option<&str>) -> Finding {
    let Some(model) = socket.model(wanted) else {
        let detail = match wanted {
            Some(id) => format!("there is no model `{id}` for this user"),
            None => "there is no model for this user".to_owned(),
        };
        return Finding::failed("turn", detail);
    };
    let asked = Instant::now();
    let (session, said) = socket.turn(&model).await;
    let finding = match said {
        Ok(()) => Finding::fine("turn", format!("{model} answered to the end")),
        Err(detail) => Finding::failed("turn", format!("{model}: {detail}")),
    };
    let finding = finding.after(asked.elapsed());
    let Some(session) = session else { return finding };
    match visitor.delete(&format!("/sessions/{session}")).await {
        Ok(deleted) if (200..300).contains(&deleted.status) => finding,
        // Said beside what matters more, and worth a look by itself.
        Ok(_) | Err(_) => Finding {
            outcome: finding.outcome.max(Outcome::Worrying),
            detail: format!("{}; session {session} could not be deleted", finding.detail),
            ..finding
        },
    }
}

/// A body that is no JSON says nothing.
fn json(answer: &Visit) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON_MS: u64 = 1_795_694_400_000;

    #[test]
    fn clocks_may_differ_by_a_little() {
        let noon = json!({ "timestamp": "2026-11-26T12:00:00Z" });

        for (here_ms, outcome) in [
            (NOON_MS, Outcome::Fine),
            (NOON_MS + 4_000, Outcome::Fine),
            (NOON_MS - 6_000, Outcome::Worrying),
            (NOON_MS + 29_000, Outcome::Worrying),
            (NOON_MS + 31_000, Outcome::Failed),
            (NOON_MS - 31_000, Outcome::Failed),
        ] {
            assert_eq!(skew(&noon, here_ms).outcome, outcome, "{here_ms}");
        }
        assert_eq!(skew(&json!({}), NOON_MS).outcome, Outcome::Failed);
    }

    #[test]
    fn readiness_names_what_fails() {
        let answer = |status, body: Value| Visit { status, body: body.to_string().into_bytes() };
        let checks = |archive, durability| {
            json!({ "checks": {
                "archive": { "status": archive, "durability": durability },
                "llm": { "status": "ok" },
            }})
        };

        let ready = judge_readiness(&answer(200, checks("ok", "full")));
        let degraded = judge_readiness(&answer(200, checks("ok", "degraded")));
        let failed = judge_readiness(&answer(503, checks("failed", "full")));
        let other = judge_readiness(&answer(404, json!({})));

        assert_eq!(ready.outcome, Outcome::Fine);
        assert_eq!(degraded.outcome, Outcome::Worrying);
        assert_eq!((failed.outcome, failed.detail.ends_with(": archive")), (Outcome::Failed, true));
        assert_eq!(other.outcome, Outcome::Failed);
    }
}
