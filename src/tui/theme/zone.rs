//! The time zone of this process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path};

use jiff::tz::TimeZone;

const LOCALTIME: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

/// The zone that `TZ` names, or without it the one that `/etc/localtime` leads to.
pub(super) fn of_process() -> TimeZone {
    named(std::env::var_os("TZ").as_deref(), Path::new(LOCALTIME)).unwrap_or_else(TimeZone::system)
}

/// The zone, if it is known by a name. Its file is read here, since jiff lists all zones of the machine before it looks
/// for one. jiff knows the other ways to say a zone.
fn named(tz: Option<&OsStr>, localtime: &Path) -> Option<TimeZone> {
    let target;
    let name = if let Some(name) = tz {
        name.to_str()?
    } else {
        target = fs::read_link(localtime).ok()?;
        target.to_str()?.rsplit_once("zoneinfo/")?.1
    };
    let is_name = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let file = (is_name && !name.is_empty()).then(|| fs::read(Path::new(ZONES).join(name)).ok())??;
    TimeZone::tzif(name, &file).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read here is what jiff finds; all else is left to jiff.
    #[test]
    fn a_named_zone_is_the_one_that_jiff_finds() {
        if TimeZone::get("Europe/Berlin").is_err() {
            // A machine without zones: there is nothing to read.
            assert_eq!(named(Some(OsStr::new("Europe/Berlin")), Path::new(LOCALTIME)), None);
            return;
        }
        for name in ["Europe/Berlin", "America/Argentina/Buenos_Aires"] {
            let zone = named(Some(OsStr::new(name)), Path::new(LOCALTIME)).unwrap();
            assert_eq!(zone.iana_name(), Some(name));
            assert_eq!(zone, TimeZone::get(name).unwrap());
        }
        for other in ["", "CET-1CEST", ":Europe/Berlin", "/etc/localtime", "../zoneinfo/UTC", "Europe", "Nowhere/City"]
        {
            assert_eq!(named(Some(OsStr::new(other)), Path::new(LOCALTIME)), None, "{other}");
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("localtime");
        std::os::unix::fs::symlink("../usr/share/zoneinfo/Europe/Berlin", &link).unwrap();
        assert_eq!(named(None, &link).unwrap().iana_name(), Some("Europe/Berlin"));
        assert_eq!(named(None, &folder.path().join("missing")), None);
    }
}
