//! A PostgreSQL server for tests, from the binaries of Debian's package, in a temporary directory.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::sync::OnceCell;

const ADVICE: &str = "these tests need PostgreSQL's server: apt-get install postgresql. \
    It is looked for in /usr/lib/postgresql/*/bin, and on PATH.";

/// A running server. It listens on a Unix socket in its directory alone, and ends with this
/// process.
#[derive(Debug)]
pub(crate) struct Server {
    directory: PathBuf,
    bin: PathBuf,
}

impl Server {
    /// The server that all tests of this process share.
    pub(crate) async fn shared() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER.get_or_init(Self::new).await
    }

    /// Makes a server of its own, and starts it.
    pub(crate) async fn new() -> Self {
        tokio::task::spawn_blocking(|| {
            let server = Self::initialise();
            server.start();
            server
        })
        .await
        .unwrap()
    }

    fn initialise() -> Self {
        let bin = binaries().expect(ADVICE);
        // A short path: that of a Unix socket has 107 bytes at most.
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp");
        let directory = directory.unwrap().keep();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&directory));
        }
        let server = Self { directory, bin };
        server.end_with_this_process();
        run(server
            .command("initdb")
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(server.data()));
        server
    }

    /// Starts it, and returns once it takes connections.
    pub(crate) fn start(&self) {
        let socket = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=300",
            self.directory.display()
        );
        run(self
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--options", &socket])
            .arg("--log")
            .arg(self.directory.join("log"))
            .arg("--pgdata")
            .arg(self.data()));
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn stop(&self) {
        run(self
            .command("pg_ctl")
            .args(["stop", "--wait", "--silent", "--mode=immediate"])
            .arg("--pgdata")
            .arg(self.data()));
    }

    /// Makes a database, and returns its address.
    pub(crate) async fn create_database(&self, name: &str) -> String {
        use sqlx::{Connection, Executor};
        use stele_toolkit_sql::sqlx;
        let mut admin = sqlx::PgConnection::connect(&self.url("postgres"))
            .await
            .unwrap();
        let create = format!("CREATE DATABASE {name}");
        admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        admin.close().await.unwrap();
        self.url(name)
    }

    fn url(&self, database: &str) -> String {
        let socket = self.directory.display();
        format!("postgres:///{database}?host={socket}&user=postgres")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A process that waits for the end of this one, however it ends, and cleans up. It has a group
    /// of its own, so that a signal to the tests' group, such as that of Ctrl-C, doesn't end it too.
    fn end_with_this_process(&self) {
        use std::os::unix::process::CommandExt;
        let script = format!(
            "while kill -0 {} 2>/dev/null; do sleep 0.2; done
            kill -QUIT $(head -1 {data}/postmaster.pid) 2>/dev/null; rm -rf {directory}",
            std::process::id(),
            data = self.data().display(),
            directory = self.directory.display(),
        );
        let mut shell = Command::new("sh");
        let shell = shell.arg("-c").arg(script).process_group(0);
        shell.stdin(Stdio::null());
        drop(
            shell
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
    }

    /// The server refuses to run as root, so root runs it as the package's user.
    fn command(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.directory).stdin(Stdio::null());
        command.stdout(Stdio::null()).env("LC_ALL", "C");
        command
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|own| own.uid() == 0)
}

/// The directory of the newest server's binaries.
#[expect(
    clippy::disallowed_methods,
    reason = "looks for what is installed on this machine"
)]
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut found: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .chain(std::env::split_paths(&std::env::var_os("PATH")?))
        .filter(|bin| bin.join("pg_ctl").exists() && bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}
