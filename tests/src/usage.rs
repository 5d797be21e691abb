//! What the archive says that answers cost, read from its file or its database beside the gateway.

use std::{env, process::Stdio};

use futures_util::TryStreamExt as _;
use mongodb::{
    Database,
    bson::{Bson, Document, doc},
};
use serde_json::Value;
use tokio::process::Command;

use crate::{Gateway, patiently};

/// Prints the table as JSON.
const SCRIPT: &str = r#"
import json, sqlite3, sys
archive = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
archive.row_factory = sqlite3.Row
lines = archive.execute("SELECT * FROM usage ORDER BY answer")
print(json.dumps([dict(line) for line in lines]))
"#;

impl Gateway {
    /// The lines of usage that there are, in the order in which the answers began.
    pub async fn usage(&self) -> Vec<Value> {
        if let Some(database) = self.database().await {
            return lines(&database).await;
        }
        let python = env::var_os("SLUICE_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).arg(self.home().join("sluice.db"));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = patiently("the archive to be read", command.output()).await;
        let output = output.expect("Python 3 is there");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the archive is not to be read: {told}");
        serde_json::from_slice(&output.stdout).expect("lines as JSON")
    }

    /// As [`Gateway::usage`], once there are so many lines.
    pub async fn usage_of(&self, answers: usize) -> Vec<Value> {
        patiently(&format!("{answers} lines of usage"), async {
            loop {
                let lines = self.usage().await;
                if lines.len() >= answers {
                    return lines;
                }
            }
        })
        .await
    }
}

/// The lines of a MongoDB, with the names and values that they have in a file.
async fn lines(database: &Database) -> Vec<Value> {
    let usage = database.collection::<Document>("sluice_usage");
    let lines: Vec<Document> = usage
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await
        .expect("asked")
        .try_collect()
        .await
        .expect("the database is read");
    let as_in_a_file = |(name, value): (String, Bson)| {
        let name = if name == "_id" { "answer".to_owned() } else { name };
        let value = value.as_bool().map_or_else(|| json(&value), |is| Value::from(u8::from(is)));
        (name, value)
    };
    lines.into_iter().map(|line| line.into_iter().map(as_in_a_file).collect()).collect()
}

fn json(value: &Bson) -> Value {
    serde_json::to_value(value).expect("a text or a number")
}
