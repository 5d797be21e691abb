use super::*;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::ManglingAndAbi;

const CONTRACT: &str = "
    package sluice:plugin@0.1.0;
    interface log { log: func(message: string); }
    interface types { record usage { tokens: u64 } }
    interface net { fetch: func(); }
    interface provider { use types.{usage}; count: func(told: usage) -> u64; }
    interface other { f: func(); }
    world good { import log; export provider; }
    world greedy { import log; import net; export provider; }
    world idle { export other; }
";

/// A core module that fits `world` of the contract and does nothing.
fn module(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", CONTRACT).expect("the contract parses");
    let world = resolve.select_world(&[package], Some(world)).expect("the world exists");
    let mut core = wit_component::dummy_module(
        &resolve,
        world,
        ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync),
    );
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false)
        .expect("it embeds");
    core
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn make(&self, core: &[u8]) -> Result<Component, ComponentError> {
        let module = self.folder.path().join("core.wasm");
        fs::write(&module, core).expect("a module");
        make(&module, &self.component(), &self.folder.path().join("stamps"))
    }

    fn component(&self) -> PathBuf {
        self.folder.path().join("plugins/it.wasm")
    }
}

#[test]
fn a_module_becomes_a_component_of_its_kind() {
    let place = Place::new();

    let made = place.make(&module("good")).expect("a component");

    let bytes = fs::read(place.component()).expect("its file");
    assert_eq!(made.kind, Kind::Provider);
    assert_eq!((made.size, made.sha256), (bytes.len() as u64, hex_sha256(&bytes)));
}

#[test]
fn an_import_beside_the_log_is_refused_by_name() {
    let refused = Place::new().make(&module("greedy")).expect_err("it is refused");

    assert!(refused.to_string().contains("sluice:plugin/net@0.1.0"), "{refused}");
}

#[test]
fn a_component_without_a_plugin_interface_is_refused() {
    let refused = Place::new().make(&module("idle")).expect_err("it is refused");

    assert!(matches!(refused, ComponentError::NoKind), "{refused}");
}

#[test]
fn bytes_that_are_no_module_are_refused_and_nothing_is_written() {
    let place = Place::new();

    let refused = place.make(b"no module").expect_err("it is refused");

    assert!(matches!(refused, ComponentError::NotEncodable(_)), "{refused}");
    assert!(!place.component().exists());
}

#[test]
fn the_same_component_is_not_written_again() {
    let place = Place::new();
    let core = module("good");
    let first = place.make(&core).expect("a component");
    let written = |place: &Place| fs::metadata(place.component()).and_then(|file| file.modified());
    let before = written(&place).expect("a time");

    let stamped = place.make(&core).expect("a component");
    fs::remove_dir_all(place.folder.path().join("stamps")).expect("stamps");
    let encoded = place.make(&core).expect("a component");

    assert_eq!(written(&place).expect("a time"), before);
    assert_eq!((&stamped.sha256, &encoded.sha256), (&first.sha256, &first.sha256));
}

#[test]
fn a_component_somebody_changed_is_made_again() {
    let place = Place::new();
    let core = module("good");
    let first = place.make(&core).expect("a component");
    fs::write(place.component(), "changed").expect("a file");

    place.make(&core).expect("a component");

    assert_eq!(hex_sha256(&fs::read(place.component()).expect("its file")), first.sha256);
}
