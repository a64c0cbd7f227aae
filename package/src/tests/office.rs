//! How the office's settings keep away from a backup: run as their container runs them, with stand-ins for the
//! programs of the image.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

/// As occ: what it is asked, and what was asked while the office was quiet. The first question meets a backup.
const OCC: &str = r#"
shift 2
echo "$*" >>"$AT/asked"
[ ! -e "$QUIET" ] || echo "$*" >>"$AT/asked-in-the-quiet"
[ -e "$AT/met" ] || { : >"$AT/met"; : >"$QUIET"; }
echo "what $1 says"
"#;

#[test]
fn settings_of_an_office_wait_while_a_backup_keeps_it_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path).display().to_string();
    for name in ["bin", "html/config", "settings", "tmp"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    let quiet = at("html/config/commonscloud_backup.config.php");
    let program = |name: &str, text: &str| {
        let path = at(&format!("bin/{name}"));
        std::fs::write(&path, format!("#!/bin/sh\nAT={} QUIET={quiet}\n{text}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("php", OCC);
    // Time passes, and the backup ends.
    program("sleep", "rm -f \"$QUIET\"");
    std::fs::write(&quiet, "").unwrap();
    let office = named("office");
    let mut text = office.spec.files.iter().find(|file| file.name == "settings").unwrap().content.clone();
    for (path, here) in
        [("/tmp/", "tmp/"), ("/var/www/html", "html"), ("/settings", "settings"), ("/proc/1/fd/1", "log")]
    {
        text = text.replace(path, &at(here));
    }
    let path = format!("{}:{}", at("bin"), std::env::var("PATH").unwrap());
    let output = Command::new("sh").args(["-c", &text]).env("PATH", path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("waiting: a backup keeps the office quiet").count(), 2, "{said}");
    assert!(!folder.path().join("asked-in-the-quiet").exists());
    let asked = std::fs::read_to_string(at("asked")).unwrap();
    let times = |question: &str| asked.lines().filter(|line| line.contains(question)).count();
    assert_eq!((times("background:cron"), times("trusted_domains")), (2, 1), "{asked}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.matches("what background:cron says").count(), 1, "{shown}");
}
