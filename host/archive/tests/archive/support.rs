//! What the tests' stories are made of.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sluice_archive::{
    Answer, Archive, ClientKey, DatabaseSettings, Digest, Metadata, NewMessage, OpenError, Outcome,
    Retry, StoredMessage,
};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{ClientMessageId, Epoch, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;
use tempfile::TempDir;

/// The fence of a session nobody took over.
pub(crate) const FREE: Fence = Fence(0);

/// An archive of a test's own, gone with it: in the engine that `SLUICE_TEST_ENGINE` names, `sqlite`
/// where it names none. A MongoDB is found by `SLUICE_TEST_MONGODB`, its address.
pub(crate) struct Place {
    pub(crate) archive: Archive,
    pub(crate) kept: Kept,
}

/// Where it is kept.
pub(crate) enum Kept {
    Folder(TempDir),
    Database(DatabaseSettings),
}

impl Kept {
    fn new() -> Self {
        let engine = variable("SLUICE_TEST_ENGINE").unwrap_or_else(|| "sqlite".to_owned());
        assert!(["sqlite", "mongodb"].contains(&engine.as_str()), "SLUICE_TEST_ENGINE is {engine}");
        if engine == "mongodb" {
            return Self::Database(database());
        }
        Self::Folder(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) async fn open(&self) -> Result<Archive, OpenError> {
        match self {
            Self::Folder(folder) => Archive::open(&file_in(folder)),
            Self::Database(settings) => Archive::connect(settings).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tells these tests what to run against")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("chat.db")
}

/// A database that nobody used before.
fn database() -> DatabaseSettings {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later");
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("archive_{}_{:x}_{number}", std::process::id(), since.as_nanos());
    DatabaseSettings {
        uri: variable("SLUICE_TEST_MONGODB").expect("SLUICE_TEST_MONGODB, an address"),
        instance: name.clone(),
        database: name,
        retry: Retry {
            attempts: 3,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
        },
        connect_timeout: Duration::from_secs(30),
    }
}

impl Place {
    pub(crate) async fn new() -> Self {
        let kept = Kept::new();
        let archive = kept.open().await.expect("an archive");
        Self { archive, kept }
    }

    /// An archive in a file, whatever the engine under test.
    pub(crate) fn in_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(&file_in(&folder)).expect("an archive");
        Self { archive, kept: Kept::Folder(folder) }
    }

    /// Its file, for tests of files.
    pub(crate) fn path(&self) -> PathBuf {
        let Kept::Folder(folder) = &self.kept else { unreachable!("for Place::in_a_file alone") };
        file_in(folder)
    }

    /// Closes and opens again, as a restart in good order does.
    pub(crate) async fn reopen(self) -> Self {
        self.archive.close().await;
        let archive = self.kept.open().await.expect("an archive");
        Self { archive, kept: self.kept }
    }

    /// Everything in a session, once the writes before are done, checkpoints included.
    pub(crate) async fn settled(&self, of: &SessionId) -> Vec<StoredMessage> {
        self.archive.ping().await.expect("written");
        self.archive.messages(of, None, usize::MAX).await.expect("read")
    }
}

/// How many of a property's cases to try: a database on the other side of a socket takes its time,
/// so an eighth of them unless `SLUICE_TESTS=all`.
pub(crate) fn cases(many: u32) -> u32 {
    let all = variable("SLUICE_TESTS").is_some_and(|which| which == "all");
    let slow = variable("SLUICE_TEST_ENGINE").is_some_and(|engine| engine == "mongodb");
    if slow && !all { many.div_ceil(8) } else { many }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("an id")
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("an id")
}

pub(crate) fn message_id(name: impl AsRef<str>) -> MessageId {
    MessageId::parse(name.as_ref()).expect("an id")
}

/// What Ada says in the session `s`.
pub(crate) fn message(seq: u64) -> NewMessage {
    NewMessage {
        session: session("s"),
        owner: user("ada"),
        fence: FREE,
        epoch: Epoch(1),
        reserve_to: Seq(1_024),
        model: None,
        name: None,
        seq: Seq(seq),
        id: message_id(format!("m{seq}")),
        sender: Sender::User,
        text: format!("text {seq}"),
        at: Instant(1_000 + seq),
        client: None,
        metadata: Metadata::new(),
    }
}

/// A client message id of Ada's, standing for some body.
pub(crate) fn client(id: &str, body: u8) -> ClientKey {
    ClientKey {
        user: user("ada"),
        id: ClientMessageId::parse(id).expect("an id"),
        digest: Digest([body; 32]),
    }
}

/// What the model says in the session `s`.
pub(crate) fn answer(seq: u64, text: &str) -> Answer {
    Answer {
        session: session("s"),
        fence: FREE,
        id: message_id(format!("a{seq}")),
        in_reply_to: message_id("m1"),
        first_seq: Seq(seq),
        last_seq: Seq(seq + text.len() as u64),
        model: None,
        text: text.to_owned(),
        upstream_request_id: None,
        started: Instant(2_000),
        first_piece: None,
    }
}

pub(crate) fn ended(ending: Ending, input: u64, output: u64) -> Outcome {
    let bill = Some(Tokens { input, output, estimated: false }.into());
    Outcome { ending, bill, at: Instant(3_000) }
}
