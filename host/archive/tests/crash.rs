//! Kills a process that writes, again and again, and counts what it had acknowledged.
//!
//! No harness: the test is its own victim. Called with a path it writes there until it is killed.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use futures_util::future::join_all;
use sluice_archive::{Answer, Archive, Metadata, NewMessage, OpenError, StoredMessage};
use sluice_chat::answer::Ending;
use sluice_chat::id::{Epoch, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;

const NAME: &str = "a_killed_process_loses_nothing_it_acknowledged";
const VICTIM: &str = "--write-until-killed";
const SESSIONS: u64 = 4;
const KILLS: u64 = 12;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [VICTIM, path] => run(write_until_killed(Path::new(path))),
        // How test runners ask what there is.
        _ if words.contains(&"--list") && words.contains(&"--ignored") => Ok(()),
        _ if words.contains(&"--list") => say(&format!("{NAME}: test")),
        _ => run(kill_again_and_again()).and_then(|()| say(&format!("test {NAME} ... ok"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "{NAME}: {error}");
            if told.is_ok() { ExitCode::FAILURE } else { ExitCode::from(2) }
        }
    }
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn run(story: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(story)
}

fn session(number: u64) -> SessionId {
    SessionId::parse(&format!("s{number}")).expect("an id")
}

/// The victim: writes in several sessions at once and says what was acknowledged.
async fn write_until_killed(path: &Path) -> Outcome<()> {
    let archive = Archive::open(path)?;
    let writers = (0..SESSIONS).map(|number| write_in(&archive, number));
    join_all(writers).await.into_iter().collect()
}

async fn write_in(archive: &Archive, number: u64) -> Outcome<()> {
    let taken = archive.take_session(&session(number), Instant(1)).await?;
    let (epoch, mut seq) = taken.map_or((Epoch(1), Seq(0)), |taken| (taken.epoch, taken.head));
    loop {
        seq = seq.next();
        let id = MessageId::parse(&format!("{number}-{seq}")).expect("an id");
        let message = NewMessage {
            session: session(number),
            owner: UserId::parse("ada").expect("an id"),
            fence: Fence(0),
            epoch,
            reserve_to: Seq((seq.0 / 1_024 + 1) * 1_024),
            model: None,
            name: None,
            seq,
            id: id.clone(),
            sender: Sender::User,
            text: format!("text of {number}-{seq}").repeat(20),
            at: Instant(seq.0),
            client: None,
            metadata: Metadata::new(),
        };
        archive.append(message).await?;
        say(&format!("{number} {seq} {}", epoch.0))?;
        seq = seq.next();
        archive.checkpoint(Answer {
            session: session(number),
            fence: Fence(0),
            id: MessageId::parse(&format!("{number}-{seq}")).expect("an id"),
            in_reply_to: id,
            first_seq: seq,
            last_seq: seq,
            model: None,
            text: "an answer that never ends".to_owned(),
            upstream_request_id: None,
            started: Instant(seq.0),
            first_piece: None,
        });
    }
}

/// The test: kills the victim after more and more acknowledgements, then reads what is there.
async fn kill_again_and_again() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("chat.db");
    let mut acknowledged: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for round in 0..KILLS {
        kill_one(&path, 1 + round * 37, &mut acknowledged)?;
    }

    let archive = Archive::open(&path)?;
    for (number, places) in acknowledged {
        let found = everything(&archive, number).await?;
        let said: Vec<u64> =
            found.iter().filter(|m| m.sender == Sender::User).map(|m| m.seq.0).collect();
        for (seq, _) in &places {
            assert!(said.contains(seq), "message {number}-{seq} was acknowledged and is lost");
        }
        assert!(said.windows(2).all(|pair| pair[0] < pair[1]), "out of order: {said:?}");
        // What came after a kill stands above all that was shown before, in a later epoch.
        assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let epochs = places.last().map(|place| place.1);
        assert!(epochs.is_some_and(|last| last > 1), "no epoch was ever raised: {epochs:?}");

        archive.take_session(&session(number), Instant(2)).await?;
        let after = everything(&archive, number).await?;
        let endings: Vec<_> =
            after.iter().filter(|m| m.sender == Sender::Ai).map(|m| m.ending).collect();
        assert!(endings.iter().all(|ending| *ending == Some(Ending::Interrupted)), "{endings:?}");
    }
    archive.close().await;
    Ok(())
}

/// All there is in a session, page by page.
async fn everything(archive: &Archive, number: u64) -> Outcome<Vec<StoredMessage>> {
    let mut found: Vec<StoredMessage> = Vec::new();
    loop {
        let before = found.first().map(|message| message.seq);
        let mut page = archive.messages(&session(number), before, 100).await?;
        if page.is_empty() {
            return Ok(found);
        }
        page.append(&mut found);
        found = page;
    }
}

/// Lets a victim acknowledge so many messages, kills it, and notes all it said.
fn kill_one(
    path: &Path,
    acknowledgements: u64,
    acknowledged: &mut BTreeMap<u64, Vec<(u64, u64)>>,
) -> Outcome<()> {
    let mut victim = Command::new(std::env::current_exe()?)
        .arg(VICTIM)
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = victim.stdout.take().ok_or("no pipe")?;
    let mut heard = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [number, seq, epoch] = numbers[..] else { return Err(line.into()) };
        acknowledged.entry(number).or_default().push((seq, epoch));
        heard += 1;
        if heard == 1 {
            let meanwhile = Archive::open(path);
            assert!(matches!(meanwhile, Err(OpenError::InUse { .. })), "{meanwhile:?}");
        }
        if heard == acknowledgements {
            victim.kill()?;
        }
    }
    victim.wait()?;
    assert!(heard >= acknowledgements, "the victim died by itself");
    Ok(())
}
