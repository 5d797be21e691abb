//! `cargo sluice new`: a plugin crate that builds and passes its test as it is.

mod template;

use std::fs;
use std::path::{Path, PathBuf};

use self::template::{Names, Template};
use crate::problem::Problem;
use crate::say;

/// What to make, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder to make; its name becomes the plugin's id.
    path: PathBuf,
    /// What the plugin does.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Where the SDK is: the folder `sdk` of a checkout of Sluice. Without it, the one that this
    /// tool was built from.
    #[arg(long)]
    sdk: Option<PathBuf>,
}

/// The kinds of plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Answers: speaks a vendor's dialect.
    Provider,
    /// Judges: lets messages pass or not.
    Policy,
    /// Tells somebody: on help requests and the like.
    Notifier,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Policy => "policy",
            Self::Notifier => "notifier",
        }
    }
}

/// Makes the crate.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let template = match arguments.kind {
        Kind::Provider => template::PROVIDER,
        Kind::Policy => template::POLICY,
        Kind::Notifier => template::NOTIFIER,
    };
    let names = Names::of(&arguments.path)?;
    let sdk = sdk_folder(arguments.sdk.as_deref())?;
    make(&arguments.path, template, &names, &sdk)?;
    let path = arguments.path.display();
    say::line(&format!("{path} is a {} plugin. Try it:", arguments.kind.word()));
    say::line("");
    say::line(&format!("  cargo sluice test {path}     natively, and in the sandbox"));
    say::line(&format!("  cargo sluice build {path}    makes the component"));
    Ok(())
}

/// The folder of the SDK: the one named, or the one beside this tool's own source.
fn sdk_folder(named: Option<&Path>) -> Result<PathBuf, Problem> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let folder = named.or(own).unwrap_or(Path::new("."));
    let how = "cargo sluice new … --sdk CHECKOUT/sdk";
    let what = || Problem::usage(format!("no SDK in {}", folder.display())).mend(how);
    let folder = folder.canonicalize().map_err(|source| what().because(source))?;
    if folder.join("rust/Cargo.toml").is_file() && folder.join("testkit/Cargo.toml").is_file() {
        Ok(folder)
    } else {
        Err(what())
    }
}

fn make(path: &Path, template: Template, names: &Names, sdk: &Path) -> Result<(), Problem> {
    let is_taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || path.is_file() {
        return Err(Problem::usage(format!("{} is there already", path.display()))
            .mend("choose another folder"));
    }
    for &(name, text) in template {
        write(&path.join(name), &names.fill(text, sdk))?;
    }
    // The versions that this SDK was tested with; cargo drops what the plugin does not use.
    let lock = sdk.join("../Cargo.lock");
    if let Ok(tested) = fs::read_to_string(lock) {
        write(&path.join("Cargo.lock"), &tested)?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Problem> {
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
        .and_then(|()| fs::write(file, text))
        .map_err(|source| {
            Problem::usage(format!("{} cannot be written", file.display())).because(source)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(path: &Path, kind: Kind) -> Arguments {
        Arguments { path: path.to_owned(), kind, sdk: None }
    }

    #[test]
    fn a_new_plugin_has_all_its_files_and_no_blank_is_left() {
        let place = tempfile::tempdir().expect("a folder");

        for (kind, template) in [
            (Kind::Provider, template::PROVIDER),
            (Kind::Policy, template::POLICY),
            (Kind::Notifier, template::NOTIFIER),
        ] {
            let path = place.path().join(kind.word());
            run(&arguments(&path, kind)).expect("a crate");

            for (name, _) in template {
                let text = fs::read_to_string(path.join(name)).expect(name);
                assert!(!text.contains("{{"), "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("mine"), "x").expect("a file");
        let path = place.path();

        let refused = run(&Arguments { path: path.to_owned(), kind: Kind::Provider, sdk: None });

        // The folder's own name may be refused first; either way nothing is written.
        assert!(refused.is_err());
        assert_eq!(fs::read_dir(path).expect("the folder").count(), 1);
    }

    #[test]
    fn a_folder_without_an_sdk_is_refused_with_the_flag_that_helps() {
        let empty = tempfile::tempdir().expect("a folder");

        let refused = sdk_folder(Some(empty.path())).expect_err("no SDK").to_string();

        assert!(refused.contains("--sdk"), "{refused}");
    }
}
