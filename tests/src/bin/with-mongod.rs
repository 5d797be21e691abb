//! Runs a command with a MongoDB of its own: `with-mongod cargo nextest run …`. The tests it runs
//! find the engine to use in `SLUICE_TEST_ENGINE` and the server in `SLUICE_TEST_MONGODB`.

use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
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
    // The server of a whole run has some thousand files open; many systems begin with 1,024.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit is known");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("up to the hard limit one may go");
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
