//! The layout of the file: numbered steps, each run once, in order, in a transaction of its own.
//! And how connections to it are set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Marks the file as ours: "SLCE".
const APPLICATION_ID: i32 = 0x534c_4345;

/// The steps from an empty file to today's layout. Append only: a step that was ever released is
/// never edited.
const STEPS: [&str; 8] = [
    include_str!("schema/0001_sessions_and_messages.sql"),
    include_str!("schema/0002_seals_and_shares.sql"),
    include_str!("schema/0003_operators.sql"),
    include_str!("schema/0004_usage.sql"),
    include_str!("schema/0005_reservations.sql"),
    include_str!("schema/0006_outbox.sql"),
    include_str!("schema/0007_cost.sql"),
    include_str!("schema/0008_review.sql"),
];

/// How long a connection waits for another one of ours.
const BUSY: Duration = Duration::from_secs(5);

/// Statements kept prepared per connection; there are about twenty.
const PREPARED: usize = 64;

/// Why the layout could not be brought up to date.
#[derive(Debug)]
pub(crate) enum SchemaError {
    Foreign,
    Newer { found: u32, known: u32 },
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Opens the one connection that writes. Never makes the file: one that vanished is not replaced by
/// an empty one.
pub(crate) fn connect_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // After a burst the log is cut back to this many bytes.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // What undoes one job of a batch: the folder of the archive may be all that can be written to.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Lets SQLite put what is too large for memory into this folder, for as long as the process lives.
///
/// It is deprecated in favour of a variable of the environment, which a process may not set once it
/// has threads. A folder that cannot be written to is refused, and SQLite looks for another one.
pub(crate) fn put_temporary_files(connection: &Connection, folder: &Path) {
    let folder = folder.to_string_lossy();
    if let Err(error) = connection.pragma_update(None, "temp_store_directory", &folder) {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "temporary files go elsewhere");
    }
}

/// Opens a connection that only reads.
pub(crate) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Whether the file is one of ours, of whatever version.
pub(crate) fn is_archive(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    Ok(application == APPLICATION_ID)
}

/// Brings the file to today's layout, or says why it must not be touched.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    let known = STEPS.len();
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    let fresh = application == 0 && version == 0 && tables == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > known {
        let known = u32::try_from(known).unwrap_or(u32::MAX);
        return Err(SchemaError::Newer { found: version, known });
    }
    for (number, step) in (1_u32..).zip(STEPS).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every table and index with how it was declared.
    fn layout(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
            .expect("prepared");
        let rows = statement.query_map([], |row| row.get(0)).expect("asked");
        rows.collect::<Result<_, _>>().expect("read")
    }

    fn memory() -> Connection {
        Connection::open_in_memory().expect("opened")
    }

    fn at_version(version: usize) -> Connection {
        let connection = memory();
        for step in &STEPS[..version] {
            connection.execute_batch(step).expect("a step that runs");
        }
        if version > 0 {
            connection.pragma_update(None, "application_id", APPLICATION_ID).expect("set");
        }
        let version = i64::try_from(version).expect("small");
        connection.pragma_update(None, "user_version", version).expect("set");
        connection
    }

    #[test]
    fn every_older_layout_becomes_the_newest() {
        let newest = layout(&at_version(STEPS.len()));

        for version in 0..=STEPS.len() {
            let mut connection = at_version(version);
            migrate(&mut connection).expect("migrated");
            migrate(&mut connection).expect("nothing left to do");
            assert_eq!(layout(&connection), newest);
        }
    }

    #[test]
    fn all_tables_are_strict() {
        for sql in layout(&at_version(STEPS.len())) {
            assert!(!sql.starts_with("CREATE TABLE") || sql.contains("STRICT"), "{sql}");
        }
    }

    #[test]
    fn a_newer_layout_is_left_alone() {
        let mut connection = at_version(STEPS.len());
        connection.pragma_update(None, "user_version", 9_999).expect("set");
        let before = layout(&connection);

        let refused = migrate(&mut connection);

        assert!(matches!(refused, Err(SchemaError::Newer { found: 9_999, .. })), "{refused:?}");
        assert_eq!(layout(&connection), before);
    }

    #[test]
    fn a_database_of_somebody_elses_is_left_alone() {
        for sql in
            ["CREATE TABLE theirs (a)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"]
        {
            let mut connection = memory();
            connection.execute_batch(sql).expect("theirs");
            let before = layout(&connection);

            let refused = migrate(&mut connection);

            assert!(matches!(refused, Err(SchemaError::Foreign)), "{refused:?}");
            assert_eq!(layout(&connection), before);
        }
    }
}
