//! Which engine keeps conversations: the one that is named, or the one that an address means.

use sluice_archive::{DatabaseSettings, Retry};

use super::super::Engine;
use super::super::problem::{Findings, Problem};
use super::values::Values;

const ENGINE: &str = "storage.engine";
const URI: &str = "storage.mongodb.uri";
const FORMS: &str = r#""mongodb://…" or "mongodb+srv://…""#;

/// Takes all keys of both engines, and holds those of the one in use to be complete.
pub(super) fn engine(values: &mut Values, findings: &mut Findings) -> Engine {
    let (named, sound) = (values.is_written(ENGINE), values.is_sound(ENGINE));
    let (origin, uri_origin, uri_sound) =
        (values.origin(ENGINE), values.origin(URI), values.is_sound(URI));
    let wanted = values.text(ENGINE);
    let uri = values.secrets(URI).pop();
    let path = values.path("storage.sqlite.path");
    let database = DatabaseSettings {
        uri: uri.as_ref().map(|uri| uri.expose().to_owned()).unwrap_or_default(),
        database: values.text("storage.mongodb.database"),
        instance: values.text("storage.mongodb.instance"),
        retry: Retry {
            attempts: u32::try_from(values.number("storage.mongodb.retry_attempts"))
                .unwrap_or(u32::MAX),
            delay: values.duration("storage.mongodb.retry_delay"),
            max_delay: values.duration("storage.mongodb.retry_max_delay"),
        },
        connect_timeout: values.duration("storage.mongodb.connect_timeout"),
    };
    let meant = wanted == "mongodb" || (!named && sound && uri.is_some());
    if !meant {
        if uri.is_some() {
            findings.warning(URI, uri_origin, "has no effect with storage.engine = \"sqlite\"");
        }
        return Engine::Sqlite(path);
    }
    let is_address = |uri: &str| uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://");
    match uri {
        Some(uri) if !is_address(uri.expose()) => {
            let problem = Problem::new(URI, uri_origin, "is no address of a MongoDB");
            findings.problem(problem.accepted(FORMS));
        }
        None if uri_sound => {
            let wrong = "mongodb needs storage.mongodb.uri (MONGO_URI)";
            findings.problem(Problem::new(ENGINE, origin, wrong).accepted(FORMS));
        }
        Some(_) | None => {}
    }
    Engine::MongoDb(database)
}
