//! A private MariaDB for tests: own data directory, port and socket, gone when the test process is.
//!
//! Nothing of an installed service is read or touched (`--no-defaults`). Durable settings stay at the server's
//! defaults, so that what a test sees is what a user gets.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// User that may do everything.
pub const USER: &str = "heliu";
/// Its password; holds characters that must be escaped in an address.
pub const PASSWORD: &str = "p@ss:w/rd";

/// Runs the server as a child of a shell that waits for the end of its input: however the test process ends,
/// the pipe closes, the server is killed and its directory removed. With every line of input the server is killed and
/// started again.
const GUARD: &str = r#"
dir=$1; shift
"$@" & pid=$!
exec 2>/dev/null
while read -r _; do
  kill -9 "$pid"
  wait "$pid"
  "$@" & pid=$!
done
kill -9 "$pid"
wait "$pid"
rm -rf "$dir"
"#;

/// A running server.
#[derive(Debug)]
pub struct MariaDb {
    guard: Child,
    input: Option<ChildStdin>,
    port: u16,
    socket: PathBuf,
    names: AtomicU32,
}

impl MariaDb {
    /// Starts a server with further command line `options`, such as `--max-allowed-packet=1M`.
    ///
    /// # Errors
    /// The programs are missing, or the server does not come up; its own words are in the error.
    pub fn start(options: &[&str]) -> Result<MariaDb> {
        let mut last = Error::other("no attempt");
        for _ in 0..3 {
            match Self::attempt(options) {
                Ok(db) => return Ok(db),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn attempt(options: &[&str]) -> Result<MariaDb> {
        let installer = find("mariadb-install-db")?;
        let server = find("mariadbd")?;
        let dir = tempfile::Builder::new().prefix("heliu-mariadb-").tempdir()?.keep();
        let data = dir.join("data");
        let made = Command::new(installer)
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .arg(format!("--datadir={}", data.display()))
            .args(as_root(&dir))
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            let words = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(Error::other(format!("mariadb-install-db failed: {words}")));
        }
        let init = dir.join("init.sql");
        std::fs::write(
            &init,
            format!(
                "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n\
                 CREATE DATABASE IF NOT EXISTS bi CHARACTER SET utf8mb4;\n"
            ),
        )?;
        Self::run(&dir, &data, &init, &server, options)
    }

    fn run(dir: &Path, data: &Path, init: &Path, server: &Path, options: &[&str]) -> Result<MariaDb> {
        // The port is free again when the server takes it; a rare collision is met by another attempt.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let socket = dir.join("s.sock");
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(dir)
            .arg(server)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--init-file={}", init.display()))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=256M"])
            .args(as_root(dir))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = guard.stdin.take();
        let errors = guard.stderr.take().ok_or_else(|| Error::other("no pipe to the server"))?;
        let mut lines = BufReader::new(errors).lines();
        let mut words = String::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("ready for connections") => break,
                Some(Ok(line)) => {
                    words.push_str(&line);
                    words.push('\n');
                }
                _ => {
                    drop(input);
                    let _ = guard.wait();
                    return Err(Error::other(format!("mariadbd did not start:\n{words}")));
                }
            }
        }
        // Its log is read on, so that the server never waits for a full pipe.
        std::thread::spawn(move || for _ in lines.map_while(std::result::Result::ok) {});
        Ok(MariaDb { guard, input, port, socket, names: AtomicU32::new(0) })
    }

    /// One server for the whole test binary, started by whoever asks first.
    ///
    /// # Panics
    /// When it cannot be started.
    #[allow(clippy::expect_used)]
    pub fn shared() -> &'static MariaDb {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(|| MariaDb::start(&[]).expect("MariaDB starts (Debian package mariadb-server)"))
    }

    /// Kills the server (`kill -9`) and starts it again on the same data and port; returns when it answers.
    ///
    /// # Errors
    /// It does not come up again.
    pub fn restart(&mut self) -> Result<()> {
        let address = ("127.0.0.1", self.port);
        let mut old = TcpStream::connect(address)?;
        let input = self.input.as_mut().ok_or_else(|| Error::other("no pipe to the server"))?;
        input.write_all(b"again\n")?;
        input.flush()?;
        // This connection ends with the old server.
        let mut rest = Vec::new();
        let _ = old.read_to_end(&mut rest);
        // A greeting of the new one; recovery takes its time.
        for _ in 0..3_000 {
            let greeting = TcpStream::connect(address).and_then(|mut new| {
                new.set_read_timeout(Some(Duration::from_secs(10)))?;
                new.read_exact(&mut [0; 5])
            });
            if greeting.is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Error::other("mariadbd did not start again"))
    }

    /// TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Address with user and password, for database `name`; the server comes with an empty database `bi`.
    pub fn dsn(&self, name: &str) -> String {
        format!("mysql://{USER}:p%40ss%3Aw%2Frd@127.0.0.1:{}/{name}", self.port)
    }

    /// A database name that nobody else of this process uses; the caller creates it.
    pub fn fresh_name(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", std::process::id(), self.names.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.guard.wait();
    }
}

/// The server refuses to run as root unless told so.
fn as_root(dir: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(dir) {
        Ok(m) if m.uid() == 0 => vec!["--user=root".to_owned()],
        _ => Vec::new(),
    }
}

fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from))
        .map(|d| d.join(program))
        .find(|p| p.is_file())
        .ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("`{program}` is missing: apt-get install mariadb-server"))
        })
}
