//! `sluice serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Exit, chain, configured, read, tell};
use crate::drain::Ended;
use crate::reload::Started;
use crate::serve::{self, Reloading, ServeError};
use crate::settings::Configured;
use crate::telemetry;

/// Runs the gateway until it is told to stop.
pub(crate) fn run(files: &[PathBuf]) -> ExitCode {
    let Configured { settings, effective, warnings: _ } = match configured(files) {
        Ok(configured) => configured,
        Err(exit) => return exit,
    };
    let level = telemetry::start(&settings.telemetry);
    let started = Started::with(&settings, effective);
    let files = files.to_vec();
    let reloading = Reloading { reader: Arc::new(move || read(&files)), level, started };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(format_args!("cannot start: {error}"));
            return Exit::Internal.into();
        }
    };
    let ended = runtime.block_on(serve::run(settings, reloading));
    // What is still running after the deadline is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::CutShort) => Exit::CutShort.into(),
        Err(ServeError::Plugins(problems)) => {
            for problem in &problems {
                tell(chain(problem));
            }
            Exit::Configuration.into()
        }
        Err(ServeError::Archive(error)) => {
            tell(chain(&error));
            error.exit().into()
        }
        Err(error @ ServeError::Listen { .. }) => {
            tell(chain(&error));
            Exit::Unavailable.into()
        }
        Err(error @ ServeError::Internal(_)) => {
            tell(chain(&error));
            Exit::Internal.into()
        }
    }
}
