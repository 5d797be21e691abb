//! The unit of systemd, by systemd's own judgement.

use std::{fs, process::Command};

use sluice_tests::{binary, not_run};

use crate::files::{self, path, succeeds};

/// Most that the service may be exposed, in tenths, of 100.
const EXPOSURE: &str = "20";

#[test]
fn the_unit_is_understood_and_leaves_the_service_little_to_do_harm_with() {
    let analyze = match files::program("SLUICE_SYSTEMD_ANALYZE", "systemd", "systemd-analyze") {
        Ok(analyze) => analyze,
        Err(why) => return not_run("the check of sluice.service", &why),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("sluice.service");
    // The program must be there to be named.
    let text = files::text("systemd/sluice.service");
    let program = binary().display().to_string();
    fs::write(&unit, text.replace("/usr/local/bin/sluice", &program)).expect("the folder is ours");

    let verified = succeeds("verify", Command::new(&analyze).arg("verify").arg(&unit));
    let security = ["security", "--offline=true", &format!("--threshold={EXPOSURE}")];
    succeeds("security", Command::new(&analyze).args(security).arg(&unit));

    // It says what it does not understand and succeeds all the same.
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
}

#[test]
fn the_unit_waits_longer_than_the_gateway_does() {
    let text = files::text("systemd/sluice.service");
    let seconds = text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));

    let seconds: u64 = seconds.and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!(seconds > 30, "server.shutdown_timeout is 30s unless told otherwise");
    assert!(path("systemd/sluice.service").is_file());
}
