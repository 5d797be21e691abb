//! Everything that is checked of a case.

use crate::{
    case::{Case, CaseError},
    event::Ending,
    golden,
    play::{Cut, PlayError, Played, play},
    recording::{Recording, TransportFailure},
    subject::Subject,
};

/// What a proxy says in the middle of somebody else's answer.
const ERROR_PAGES: [&[u8]; 3] = [
    b"<html><h1>500 Internal Server Error</h1></html>\n",
    b"\n\ndata: <html><h1>500 Internal Server Error</h1></html>\n\n",
    b"\n\ndata: {\"error\":{\"message\":\"bad gateway\",\"code\":502}}\n\n",
];

/// What is wrong with a plugin, or with the case.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The case's files.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The plugin stepped out of the contract.
    #[error("{how}")]
    Play {
        /// What was done to the recording.
        how: String,
        /// What it did.
        source: PlayError,
    },
    /// The plugin asked for or said something else.
    #[error("{file} differs from line {line} on\n  expected: {expected}\n      seen: {seen}")]
    Differs {
        /// Where the expectation stands.
        file: String,
        /// First line that differs.
        line: usize,
        /// That line.
        expected: String,
        /// What was seen in its place.
        seen: String,
    },
    /// Something shows that must not.
    #[error("{how}: {seen:?}\ninstead of {expected:?}")]
    Shows {
        /// What was done to the recording.
        how: String,
        /// As it should be.
        expected: Box<Played>,
        /// As it was.
        seen: Box<Played>,
    },
    /// A broken recording passed for a whole one.
    #[error("{how}, and yet the answer is done: {seen:?}")]
    Untrue {
        /// What was done to the recording.
        how: String,
        /// As it was.
        seen: Box<Played>,
    },
}

/// Plays the case in every way that the crate's documentation names. With `update` the expectations are written, not compared.
pub fn check<S: Subject>(subject: &S, case: &Case, update: bool) -> Result<(), CheckError> {
    let trial = Trial { subject, case };
    let whole = trial.play("as recorded", &case.recordings, Cut::Nowhere)?;
    if update {
        golden::write(&case.folder, &whole)?;
    } else {
        golden::compare(&case.folder, &whole)?;
    }
    trial.recut(&whole)?;
    for broken in 0..case.recordings.len() {
        trial.mark(&whole, broken)?;
        trial.end_early(&whole, broken)?;
        trial.put_error_pages(&whole, broken)?;
        trial.refuse(broken)?;
    }
    Ok(())
}

/// A case with what it is played against.
struct Trial<'a, S> {
    subject: &'a S,
    case: &'a Case,
}

impl<S: Subject> Trial<'_, S> {
    fn play(&self, how: &str, recordings: &[Recording], cut: Cut) -> Result<Played, CheckError> {
        play(self.subject, self.case, recordings, cut)
            .map_err(|source| CheckError::Play { how: how.to_owned(), source })
    }

    /// Where the network cuts must not show.
    fn recut(&self, whole: &Played) -> Result<(), CheckError> {
        let longest = self.case.recordings.iter().map(|recording| recording.body.len()).max();
        let once = (1..longest.unwrap_or_default()).map(Cut::After);
        for cut in once.chain([Cut::Everywhere]) {
            let how = format!("cut {cut:?}");
            same(&how, whole, self.play(&how, &self.case.recordings, cut)?)?;
        }
        Ok(())
    }

    /// A byte order mark must not show.
    fn mark(&self, whole: &Played, broken: usize) -> Result<(), CheckError> {
        let recordings = self.with(broken, |recording| {
            // A refusal is read by people, who do not mind.
            if (200..300).contains(&recording.status) {
                recording.body.splice(..0, *b"\xEF\xBB\xBF");
            }
        });
        let how = "with a byte order mark";
        same(how, whole, self.play(how, &recordings, Cut::Nowhere)?)
    }

    /// After every byte: once the orderly end, once a broken connection.
    fn end_early(&self, whole: &Played, broken: usize) -> Result<(), CheckError> {
        for bytes in 0..self.case.recordings[broken].body.len() {
            for breaks in [None, Some(TransportFailure::Reset)] {
                let recordings = self.with(broken, |recording| {
                    recording.body.truncate(bytes);
                    recording.breaks = breaks;
                });
                let end = breaks.map_or("ended", |_| "reset");
                let how = format!("exchange {} {end} after {bytes} bytes", broken + 1);
                true_to(&how, whole, self.play(&how, &recordings, Cut::Nowhere)?)?;
            }
        }
        Ok(())
    }

    /// After every line: what a proxy says when the model is gone.
    fn put_error_pages(&self, whole: &Played, broken: usize) -> Result<(), CheckError> {
        let body = &self.case.recordings[broken].body;
        let line_ends = body.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        for border in line_ends.map(|(at, _)| at + 1) {
            for page in ERROR_PAGES {
                let recordings = self.with(broken, |recording| {
                    recording.body.truncate(border);
                    recording.body.extend_from_slice(page);
                });
                let how = format!("exchange {} an error page after {border} bytes", broken + 1);
                true_to(&how, whole, self.play(&how, &recordings, Cut::Nowhere)?)?;
            }
        }
        Ok(())
    }

    /// A refusal must never be done, whatever its body says.
    fn refuse(&self, broken: usize) -> Result<(), CheckError> {
        let recordings = self.with(broken, |recording| recording.status = 500);
        let how = format!("exchange {} with status 500", broken + 1);
        let seen = self.play(&how, &recordings, Cut::Nowhere)?;
        match seen.ending {
            Ending::Fail(_) => Ok(()),
            Ending::Done => Err(CheckError::Untrue { how, seen: Box::new(seen) }),
        }
    }

    fn with(&self, broken: usize, change: impl FnOnce(&mut Recording)) -> Vec<Recording> {
        let mut recordings = self.case.recordings.clone();
        change(&mut recordings[broken]);
        recordings
    }
}

fn same(how: &str, expected: &Played, seen: Played) -> Result<(), CheckError> {
    if *expected == seen {
        return Ok(());
    }
    let (expected, seen) = (Box::new(expected.clone()), Box::new(seen));
    Err(CheckError::Shows { how: how.to_owned(), expected, seen })
}

fn true_to(how: &str, whole: &Played, seen: Played) -> Result<(), CheckError> {
    if seen.is_true_to(whole) {
        return Ok(());
    }
    Err(CheckError::Untrue { how: how.to_owned(), seen: Box::new(seen) })
}

#[cfg(test)]
#[cfg(feature = "native")]
mod tests;
