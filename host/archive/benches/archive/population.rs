//! The sessions of a large house, the same in each run.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sluice_archive::{Archive, Conversation, Metadata, PastMessage};
use sluice_chat::id::{Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::{Mode, Sender};

use crate::Failed;

/// Sessions that are put in at the same time.
const AT_ONCE: usize = 64;
/// When the first of them began, and how long after each the next did.
pub(crate) const BEGINNING: u64 = 1_700_000_000_000;
const APART: u64 = 60_000;
/// Who has a tenth of all sessions, which no person has, but some program may.
pub(crate) const BUSIEST: &str = "the-busiest";

/// Puts so many sessions in.
pub(crate) async fn settle(archive: &Archive, sessions: u64) -> Result<(), Failed> {
    stream::iter(0..sessions)
        .map(|number| async move {
            let conversation = conversation(number, sessions).ok_or("ids are well formed")?;
            archive.import(conversation).await?;
            Ok::<_, Failed>(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Whose the session of that number is, among so many: ten for each, but a tenth is one user's.
pub(crate) fn owner(number: u64, sessions: u64) -> String {
    if number.is_multiple_of(10) {
        BUSIEST.to_owned()
    } else {
        format!("user-{}", number % (sessions / 10).max(1))
    }
}

/// When all of them have begun.
pub(crate) fn end(sessions: u64) -> Instant {
    Instant(BEGINNING + sessions * APART)
}

fn conversation(number: u64, sessions: u64) -> Option<Conversation> {
    let id =
        format!("{:032x}", u128::from(chance(number, "id", u64::MAX)) << 64 | u128::from(number));
    // They are put in in another order than they began in.
    let created = Instant(BEGINNING + chance(number, "created", sessions) * APART);
    let lasted = 1_000 + chance(number, "lasted", 3_600_000);
    let said = Instant(created.0 + lasted);
    // One in eight has something in it: those that are on a page are read for how long answers took.
    let messages = if number.is_multiple_of(8) { 1 + chance(number, "messages", 4) } else { 0 };
    Some(Conversation {
        id: SessionId::parse(&id)?,
        owner: UserId::parse(&owner(number, sessions))?,
        name: Some(format!("Conversation {number}")),
        model: None,
        mode: Mode::Bot,
        created,
        last_activity: said,
        ended: (chance(number, "ended", 4) > 0).then_some(said),
        assisted: chance(number, "assisted", 50) == 0,
        tokens: chance(number, "tokens", 20_000),
        average_ms: 0,
        slowest_ms: 0,
        share: None,
        messages: (1..=messages).map(|seq| message(&id, seq, created)).collect::<Option<_>>()?,
    })
}

fn message(session: &str, seq: u64, at: Instant) -> Option<PastMessage> {
    Some(PastMessage {
        id: MessageId::parse(&format!("{session}-{seq}"))?,
        seq: Seq(seq),
        sender: if seq % 2 == 1 { Sender::User } else { Sender::Ai },
        text: "words ".repeat(20),
        at,
        in_reply_to: None,
        metadata: Metadata::new(),
    })
}

/// A number below `below`, always the same for this one and this purpose.
fn chance(number: u64, purpose: &str, below: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (number, purpose).hash(&mut hasher);
    hasher.finish() % below.max(1)
}
