//! Many who do not read, beside many who do: the ones cost little and get the rest later, the others notice nothing.

use futures_util::{StreamExt as _, future::join_all, stream};
use serde_json::{Value, json};
use sluice_tests::{Answer, Client, FakeProvider, Gateway, Script, Setup};

/// Who read nothing.
const STUCK: usize = 1_000;
/// Who read everything.
const HEALTHY: usize = 200;
/// Connections that are opened, or read to their end, at the same time.
const AT_ONCE: usize = 100;
/// Of those who were left, so many in a hundred may find no close frame when they wake up: a farewell is not waited for for long.
const NO_FAREWELL: usize = 2;
/// Most that one of the stuck may cost, in the process and in the kernel.
const COST: u64 = 128 * 1024;
/// Pieces of the answer, and the bytes of each: together more than any buffer on the way keeps.
const PIECES: usize = 20;
const PIECE: usize = 8 * 1024;

async fn follow(gateway: &Gateway, token: &str, session: &str, narrow: bool) -> Client {
    let dial = gateway.dial().bearer(token).query("session_id", session);
    let dial = if narrow { dial.narrow() } else { dial };
    dial.open().await.expect("it opens")
}

/// Opens so many connections to a session.
async fn followers(gateway: &Gateway, session: &str, many: usize, narrow: bool) -> Vec<Client> {
    let token = gateway.token("alice");
    let open = |_| follow(gateway, &token, session, narrow);
    stream::iter(0..many).map(open).buffer_unordered(AT_ONCE).collect().await
}

fn pieces() -> Vec<String> {
    (0..PIECES).map(|n| format!("{n:02}").repeat(PIECE / 2)).collect()
}

/// What somebody who was left hears when they read again and come back: all of the answer, once. And whether they found why they
/// were left.
async fn catches_up(
    gateway: &Gateway,
    token: &str,
    session: &str,
    mut stuck: Client,
) -> (Answer, bool) {
    let mut frames = stuck.frames_until("the close", |frame| frame.get("closed").is_some()).await;
    let closed = frames.pop().expect("the close")["closed"].clone();
    assert!(closed == 4102 || closed.is_null(), "{closed}");
    let at = frames.last().unwrap_or(&stuck.greeting).clone();
    drop(stuck);
    let mut back = gateway.dial().bearer(token).open().await.expect("it opens");
    let (epoch, seq) = (&at["epoch"], &at["seq"]);
    let resume = json!({ "type": "resume", "session_id": session, "epoch": epoch, "seq": seq });
    back.send(&resume).await;
    assert_eq!(back.next_frame().await["resumed"], true, "from {at}");
    frames.extend(back.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);
    (Answer::of(&frames), closed == 4102)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_do_not_read_hold_up_none_of_two_hundred_who_do() {
    let pieces = pieces();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let text = pieces.concat();
    let provider = FakeProvider::playing(Script::halting(&pieces)).await;
    let setup = Setup::with(&provider)
        .set("SLUICE_LIMITS__CONNECTIONS_PER_USER", "5000")
        .set("SLUICE_SERVER__MAX_CONNECTIONS", "5000")
        .set("SLUICE_TELEMETRY__LEVEL", "debug");
    let gateway = setup.start().await;
    let mut desk = gateway.connect("alice").await;
    desk.say("Everything you know").await;
    provider.request(1).await;
    desk.next_of("loading").await;
    let session = desk.session().to_owned();
    let healthy = followers(&gateway, &session, HEALTHY, false).await;
    let stuck = followers(&gateway, &session, STUCK, true).await;
    let at_rest = gateway.resident_bytes();

    provider.release(PIECES);
    let whole = join_all(healthy.into_iter().map(async |mut client| client.answer().await)).await;
    let grown = gateway.resident_bytes().saturating_sub(at_rest);
    let kernel = gateway.unsent_bytes();

    for answer in &whole {
        assert!(answer.text == text && answer.finish_reason == "stop", "whole and in order");
    }
    let many = STUCK as u64;
    assert!(
        (grown + kernel) / many <= COST,
        "each of the stuck costs {} bytes in the process and {} in the kernel",
        grown / many,
        kernel / many
    );
    gateway.logged_often("code=4102", STUCK).await;
    let token = gateway.token("alice");
    let come_back = |client| catches_up(&gateway, &token, &session, client);
    let caught_up: Vec<(Answer, bool)> =
        stream::iter(stuck).map(come_back).buffer_unordered(AT_ONCE).collect().await;
    assert_eq!(caught_up.len(), STUCK);
    let told = caught_up.iter().filter(|(_, told)| *told).count();
    assert!(
        told >= STUCK - STUCK * NO_FAREWELL / 100,
        "{told} of {STUCK} found why they were left"
    );
    for (answer, _) in &caught_up {
        assert!(answer.text == text && answer.finish_reason == "stop", "all of it, once");
    }
    let stored: Vec<Value> = gateway.messages("alice", &session).await;
    assert!(stored[1]["content"] == text);
}
