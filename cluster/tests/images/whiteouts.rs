use std::path::Path;

use crate::unpack::unpack;
use crate::{build, can_run};

const DESCRIPTION: &str = "\
reference: docker.io/local/whiteouts:1
from: debian
script: build.sh
cmd: [sh]
";

const SCRIPT: &str = "\
rm /etc/debian_version
rm -r /etc/skel
rm -r /usr/share/common-licenses; mkdir /usr/share/common-licenses; echo mine >/usr/share/common-licenses/MINE
rm -r /usr/share/base-passwd; ln -s /nowhere /usr/share/base-passwd
";

#[test]
fn what_an_image_removes_from_the_base_is_not_in_it() {
    if !can_run() {
        return;
    }
    let source = tempfile::tempdir().unwrap();
    let folder = source.path().join("images/whiteouts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("image.yaml"), DESCRIPTION).unwrap();
    std::fs::write(folder.join("build.sh"), SCRIPT).unwrap();
    let image = build(&["whiteouts"], source.path()).remove(0);
    let root = tempfile::tempdir().unwrap();
    unpack(&image.tar, root.path());
    std::fs::remove_file(&image.tar).unwrap();

    let there = |path: &str| root.path().join(path).symlink_metadata().is_ok();
    assert!(there("etc/passwd"), "the base's files are there");
    assert!(!there("etc/debian_version"), "a removed file");
    assert!(!there("etc/skel"), "a removed folder");
    assert!(there("usr/share/common-licenses/MINE") && !there("usr/share/common-licenses/GPL"), "a folder made anew");
    let link = std::fs::read_link(root.path().join("usr/share/base-passwd")).unwrap();
    assert_eq!(link, Path::new("/nowhere"), "a folder replaced by a link");
}
