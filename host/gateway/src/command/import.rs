//! `sluice import`: the conversations of the gateway that came before, taken over into the archive.

mod account;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use sluice_archive::{
    Archive, Cipher, Origin, OriginError, Past, Predecessor, Reason, Row, Rows, StoreError,
};

use self::account::Account;
use super::{Exit, block_on, chain, environment, part, print, tell};
use crate::settings::{Settings, Storage, open_secret};
use crate::storage::{self, StorageError};
use crate::{clock, telemetry};

/// Conversations that are stored at the same time, unless they are large.
const TOGETHER: usize = 64;
/// Bytes of conversations that are stored at the same time; one that is larger is stored alone.
const BYTES_TOGETHER: usize = 8 * 1024 * 1024;
/// How long to wait for the server that is read.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many conversations a line says how far it is.
const TOLD_EVERY: u64 = 10_000;

/// Which conversations.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Address of the MongoDB that has them, or `env:VAR` or `file:PATH` where the address is.
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Its database; without it the one that the address names, else `chat`.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The collection.
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    collection: String,
    /// Nothing in it is encrypted: what looks so is text.
    #[arg(long)]
    plain: bool,
    /// Reads everything and says what would be taken over, without touching the archive.
    #[arg(long)]
    dry_run: bool,
}

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    /// The archive is not to be had.
    #[error(transparent)]
    Archive(#[from] StorageError),
    /// What was to be read cannot be.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// There is nothing to read.
    #[error("{0} is empty, or not there; --database and --collection say where to look")]
    Nothing(String),
    /// The archive failed. What was taken over is in it.
    #[error("the import stopped; begin it again to go on")]
    Stopped(#[source] StoreError),
}

impl ImportError {
    fn exit(&self) -> Exit {
        match self {
            Self::Archive(error) => error.exit(),
            Self::Origin(OriginError::NoAddress) => Exit::Configuration,
            Self::Origin(OriginError::Unavailable(_)) | Self::Nothing(_) | Self::Stopped(_) => {
                Exit::Unavailable
            }
        }
    }
}

/// Takes them over, and says what became of them.
pub(crate) fn run(files: &[PathBuf], wanted: &Wanted) -> ExitCode {
    let take = |settings: Settings| (settings.storage, settings.telemetry);
    let (storage, telemetry) = match part(files, &["storage", "telemetry"], take) {
        Ok(part) => part,
        Err(exit) => return exit,
    };
    let uri = match open_secret(&wanted.from, environment()) {
        Ok(Some(uri)) => uri,
        Ok(None) => {
            tell("--from: the address of a MongoDB is expected");
            return Exit::Configuration.into();
        }
        Err(error) => {
            tell(format_args!("--from {error}"));
            return Exit::Configuration.into();
        }
    };
    telemetry::start(&telemetry);
    let origin = Origin {
        uri: uri.expose(),
        database: wanted.database.as_deref(),
        collection: &wanted.collection,
        patience: PATIENCE,
    };
    match block_on(import(storage, origin, wanted)) {
        Ok(Ok(account)) => {
            account.losses().for_each(tell);
            print(account.summary(wanted.dry_run));
            // Done is done, also when there was something that nobody could read.
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            tell(chain(&error));
            error.exit().into()
        }
        Err(exit) => exit,
    }
}

async fn import(
    storage: Storage,
    origin: Origin<'_>,
    wanted: &Wanted,
) -> Result<Account, ImportError> {
    let predecessor = Predecessor::connect(origin).await?;
    let expected = predecessor.count().await?;
    if expected == 0 {
        return Err(ImportError::Nothing(predecessor.name()));
    }
    let cipher = if wanted.plain { Cipher::none() } else { Cipher::of(&storage.keys) };
    let archive = if wanted.dry_run { None } else { Some(storage::open(storage.alone()).await?) };
    let mut walk = Walk {
        rows: predecessor.rows().await?,
        cipher,
        archive,
        account: Account::default(),
        bar: bar(expected),
    };
    let done = walk.finish().await;
    walk.bar.finish_and_clear();
    if let Some(archive) = walk.archive {
        archive.close().await;
    }
    done.map(|()| walk.account)
}

/// A bar, where somebody sees it: none when standard error is no terminal.
fn bar(conversations: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} conversations, {eta} left");
    ProgressBar::new(conversations).with_style(style.expect("a template that parses"))
}

/// The way through all conversations.
struct Walk {
    rows: Rows,
    cipher: Cipher,
    /// None when nothing is to be written.
    archive: Option<Archive>,
    account: Account,
    bar: ProgressBar,
}

impl Walk {
    async fn finish(&mut self) -> Result<(), ImportError> {
        let mut together = Vec::new();
        let mut bytes = 0;
        while let Some(row) = self.rows.next().await? {
            bytes += row.bytes();
            if let Some(past) = self.read(&row) {
                together.push((row.label(), past));
            }
            if together.len() == TOGETHER || bytes >= BYTES_TOGETHER {
                self.store(std::mem::take(&mut together)).await?;
                bytes = 0;
            }
        }
        self.store(together).await
    }

    fn read(&mut self, row: &Row) -> Option<Past> {
        self.bar.inc(1);
        self.account.conversations += 1;
        if self.account.conversations.is_multiple_of(TOLD_EVERY) {
            tracing::info!(conversations = self.account.conversations, "read so far");
        }
        match row.read(&self.cipher, clock::now()) {
            Ok(past) => {
                self.account.read(&row.label(), &past);
                Some(past)
            }
            Err(reason) => {
                self.account.refuse(&row.label(), 0, reason);
                None
            }
        }
    }

    async fn store(&mut self, together: Vec<(String, Past)>) -> Result<(), ImportError> {
        let Some(archive) = &self.archive else {
            for (_, past) in &together {
                self.account.would_take(past);
            }
            return Ok(());
        };
        let stored = together.into_iter().map(async |(label, past)| {
            let messages = past.conversation.messages.len() as u64;
            (label, messages, archive.import(past.conversation).await)
        });
        for (label, messages, stored) in join_all(stored).await {
            match stored {
                Ok(imported) => self.account.store(&label, messages, &imported),
                Err(StoreError::Rejected { .. }) => {
                    self.account.refuse(&label, messages, Reason::Refused);
                }
                Err(
                    error @ (StoreError::Closed
                    | StoreError::Unavailable { .. }
                    | StoreError::Uncertain { .. }
                    | StoreError::Damaged { .. }
                    | StoreError::Sealed { .. }),
                ) => return Err(ImportError::Stopped(error)),
            }
        }
        Ok(())
    }
}
