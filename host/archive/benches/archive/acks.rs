//! Messages acknowledged by the archive, each durable, from writers who write as fast as they are answered.

use std::time::{Duration, Instant};

use sluice_archive::{Archive, ClientKey, Digest, Metadata, NewMessage};
use sluice_chat::id::{self, ClientMessageId, Epoch, Fence, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;
use tokio::task::JoinSet;

use crate::{Failed, Length, percentile, print};

/// Each with a session and a user of its own, as people are.
const WRITERS: usize = 64;
/// Characters of a message.
const TEXT: usize = 200;

/// Prints how many are acknowledged in a second and how long one waits.
pub(crate) async fn measure(archive: &Archive, length: Length, beside: &str) -> Result<(), Failed> {
    let (mut rates, mut middles, mut slowest) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..length.rounds {
        let begun = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(archive.clone(), begun, length.span));
        }
        let mut times = Vec::new();
        while let Some(writer) = writers.join_next().await {
            times.extend(writer??);
        }
        let acks = f64::from(u32::try_from(times.len())?);
        rates.push(acks / begun.elapsed().as_secs_f64());
        middles.push(percentile(&mut times, 50));
        slowest.push(percentile(&mut times, 99));
    }
    print(&format!("acks a second, 64 writers{beside}"), "/s", &rates);
    print(&format!("an ack, 64 writers, p50{beside}"), "ms", &middles);
    print(&format!("an ack, 64 writers, p99{beside}"), "ms", &slowest);
    Ok(())
}

/// Writes one message after another until the time is over. Returns how long each took.
async fn write(archive: Archive, begun: Instant, span: Duration) -> Result<Vec<Duration>, Failed> {
    let name = format!("{:032x}", rand::random::<u128>());
    let mut times = Vec::new();
    for seq in 1.. {
        if begun.elapsed() > span {
            break;
        }
        let said = message(&name, seq).ok_or("ids are well formed")?;
        let asked = Instant::now();
        archive.append(said).await?;
        times.push(asked.elapsed());
    }
    Ok(times)
}

fn message(name: &str, seq: u64) -> Option<NewMessage> {
    let user = UserId::parse(&format!("user-{name}"))?;
    let client = ClientKey {
        user: user.clone(),
        id: ClientMessageId::parse(&format!("{name}-{seq}"))?,
        digest: Digest([1; 32]),
    };
    Some(NewMessage {
        session: SessionId::parse(name)?,
        owner: user,
        fence: Fence(0),
        epoch: Epoch(1),
        reserve_to: Seq(seq / 1_024 * 1_024 + 1_024),
        model: None,
        name: None,
        seq: Seq(seq),
        id: MessageId::parse(&format!("{name}-m{seq}"))?,
        sender: Sender::User,
        text: "x".repeat(TEXT),
        at: id::Instant(1_600_000_000_000 + seq),
        client: Some(client),
        metadata: Metadata::new(),
    })
}
