//! The packages that are compiled in.

use crate::format::directory::{DirectoryError, read_package};
use commonscloud_api::ServiceTemplate;

/// The files of a package, by their names in its folder.
struct Files(&'static [(&'static str, &'static str)]);

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        Files(&[$(($name, include_str!(concat!("../../../templates/", $folder, "/", $name)))),+])
    };
}

static PACKAGES: [Files; 4] = [OFFICE, AGORA, PROJECTS, KEYCLOAK];

const OFFICE: Files = files!("office":
    "package.yaml",
    "manifests/network.yaml",
    "manifests/db.yaml",
    "manifests/redis.yaml",
    "manifests/app.yaml",
    "manifests/editor.yaml",
    "manifests/web.yaml",
    "files/prepare.sh",
    "files/session.sh",
    "files/cron.sh",
    "files/settings.sh",
    "files/applied.sh",
    "files/database.sh",
    "files/database_roles.sh",
    "files/redis.sh",
    "files/quiesce.sh",
    "files/unquiesce.sh",
    "files/dump.sh",
    "files/load.sh",
    "files/verify.sh",
);

const AGORA: Files = files!("agora":
    "package.yaml",
    "manifests/network.yaml",
    "manifests/db.yaml",
    "manifests/redis.yaml",
    "manifests/app.yaml",
    "manifests/web.yaml",
    "files/prepare.sh",
    "files/settings.sh",
    "files/settle.sh",
    "files/applied.sh",
    "files/first_admin.rb",
    "files/database.sh",
    "files/database_roles.sh",
    "files/redis.sh",
    "files/quiesce.sh",
    "files/unquiesce.sh",
    "files/dump.sh",
    "files/load.sh",
    "files/verify.sh",
);

const PROJECTS: Files = files!("projects":
    "package.yaml",
    "manifests/network.yaml",
    "manifests/db.yaml",
    "manifests/app.yaml",
    "manifests/web.yaml",
    "files/configure.php",
    "files/prepare.sh",
    "files/accounts.php",
    "files/openid.php",
    "files/preamble.php",
    "files/database.sh",
    "files/database.cnf",
    "files/database_grants.sql",
    "files/database_made.sh",
    "files/database_serve.sh",
    "files/quiesce.sh",
    "files/unquiesce.sh",
    "files/dump.sh",
    "files/load.sh",
    "files/verify.sh",
);

const KEYCLOAK: Files = files!("keycloak":
    "package.yaml",
    "manifests/network.yaml",
    "manifests/db.yaml",
    "manifests/app.yaml",
    "manifests/web.yaml",
    "files/realm.json",
    "files/mail.json",
    "files/prepare.sh",
    "files/database.sh",
    "files/database_roles.sh",
    "files/dump.sh",
    "files/load.sh",
    "files/verify.sh",
);

/// The packages that are compiled in, ready to be registered.
pub fn builtin() -> Vec<ServiceTemplate> {
    PACKAGES
        .iter()
        .filter_map(|files| match read(files) {
            Ok(template) => Some(template),
            Err(error) => {
                // A test holds that none is ever left out.
                tracing::error!(%error, "a package that is compiled in cannot be read");
                None
            }
        })
        .collect()
}

fn read(files: &Files) -> Result<ServiceTemplate, DirectoryError> {
    let file = |name: &str| {
        let found = files.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| DirectoryError::Content {
            file: name.to_owned(),
            line: None,
            message: "is not compiled in; add it to PACKAGES".to_owned(),
        })
    };
    read_package(&file("package.yaml")?, file)
}
