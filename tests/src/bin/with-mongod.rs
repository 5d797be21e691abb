//! Runs a command with a MongoDB of its own: `with-mongod cargo nextest run …`. The tests it runs
//! find the engine to use in `SLUICE_TEST_ENGINE` and the server in `SLUICE_TEST_MONGODB`.

use std::process::ExitCode;

use sluice_tests::{Mongod, not_run};
use tokio::process::Command;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().expect("usage: with-mongod COMMAND [ARGUMENT]…");
    if let Err(why) = Mongod::is_fetched() {
        not_run("tests with a MongoDB", &why);
        return ExitCode::SUCCESS;
    }
    let server = Mongod::start().await;
    let ended = Command::new(command)
        .args(arguments)
        .env("SLUICE_TEST_ENGINE", "mongodb")
        .env("SLUICE_TEST_MONGODB", server.address())
        .status()
        .await
        .expect("the command starts");
    if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
