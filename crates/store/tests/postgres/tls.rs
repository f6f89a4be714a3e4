//! TLS, with certificates that the test makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_store::postgres::Opening;
use countersign_testing::Cluster;

use crate::{open, open_with};

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    let done = command.output().expect("no openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// An authority of one's own.
fn authority(folder: &Path, name: &str) -> PathBuf {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(folder, &format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.pem"));
    folder.join(format!("{name}.pem"))
}

/// A cluster that speaks TLS alone, as `localhost`, says its authority.
fn cluster() -> (Cluster, PathBuf, PathBuf) {
    let cluster = Cluster::start();
    let folder = cluster.folder();
    let (trusted, other) = (authority(folder, "trusted"), authority(folder, "other"));
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=db -keyout server.key -out server.csr",
    );
    openssl(
        folder,
        "x509 -req -in server.csr -CA trusted.pem -CAkey trusted.key -CAcreateserial -days 2 -extfile names \
         -out server.pem",
    );
    for file in ["server.key", "server.pem"] {
        cluster.programs().own(&folder.join(file));
    }
    let files = format!(
        "ssl = on\nssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\n",
        folder.display()
    );
    let settings = cluster.data().join("countersign.conf");
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + &files).unwrap();
    fs::write(
        cluster.data().join("pg_hba.conf"),
        "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
    )
    .unwrap();
    cluster.reload();
    (cluster, trusted, other)
}

#[tokio::test]
async fn a_server_is_proven_as_far_as_sslmode_asks() {
    let (cluster, trusted, other) = cluster();
    let url = |host: &str, parameters: &str| {
        format!("postgres://postgres@{host}:{}/postgres?{parameters}", cluster.port())
    };
    let rooted = |mode: &str, root: &Path| format!("sslmode={mode}&sslrootcert={}", root.display());
    let full = url("localhost", &rooted("verify-full", &trusted));
    open(&full).await.ping().await.unwrap();

    for (accepted, host, parameters) in [
        (true, "localhost", format!("sslrootcert={}", trusted.display())),
        (false, "127.0.0.1", rooted("verify-full", &trusted)),
        (true, "127.0.0.1", rooted("verify-ca", &trusted)),
        (true, "127.0.0.1", rooted("require", &trusted)),
        (false, "localhost", rooted("verify-full", &other)),
        (false, "127.0.0.1", rooted("verify-ca", &other)),
        (false, "127.0.0.1", rooted("require", &other)),
        (false, "localhost", "sslmode=verify-full".to_owned()),
        (true, "127.0.0.1", "sslmode=require".to_owned()),
        (true, "127.0.0.1", "sslmode=prefer".to_owned()),
        (false, "127.0.0.1", "sslmode=disable".to_owned()),
        (false, "localhost", rooted("verify-full", Path::new("/nowhere.pem"))),
    ] {
        let opened = open_with(&url(host, &parameters), &Opening::usual()).await;
        assert_eq!(opened.is_ok(), accepted, "{host} {parameters}: {:?}", opened.err());
    }
    // One that doesn't speak it is no match for who asks for it.
    let plain = format!("{}?sslmode=require", Cluster::shared().url("postgres"));
    assert!(open_with(&plain, &Opening::usual()).await.is_err());
}
