//! Sealing of secrets at rest: XChaCha20-Poly1305 with the project's key. The place (table and name) is
//! authenticated with each secret, so that sealed values cannot be swapped.

use std::fs;
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use heliu_model::{Failure, Secret, text};

/// The sealing key.
#[derive(Clone)]
pub(crate) struct Seal(XChaCha20Poly1305);

fn unreadable(path: &Path, why: &str) -> Failure {
    let path = path.display().to_string();
    let why = why.to_owned();
    Failure::config("HL-6010", text!("the key file cannot be used: {why}", "密钥文件无法使用:{why}")).at(path).hint(
        text!(
            "restore the file `key` that belongs to this data directory, or give HELIU_KEY; without it sealed tokens and secrets cannot be opened",
            "请恢复该数据目录对应的 `key` 文件,或设置 HELIU_KEY;没有它就无法解开已封存的令牌和机密"
        ),
    )
}

/// A new data directory that cannot be written to.
fn locked_out(path: &Path, e: &std::io::Error) -> Failure {
    let why = e.to_string();
    Failure::config("HL-6004", text!("the data directory cannot be written: {why}", "数据目录无法写入:{why}"))
        .at(path.parent().unwrap_or(path).display().to_string())
        .hint(crate::errors::writable())
}

/// Makes the key file, whole or not at all; one that is there already stays.
fn make(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let own = path.with_extension(format!("{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&own)?;
    let made =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| match fs::hard_link(&own, path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        });
    let gone = fs::remove_file(&own);
    made.and(gone)
}

impl Seal {
    /// The key from HELIU_KEY (hex or base64), or from the file, made with mode 0600 if `fresh`.
    pub fn open(path: &Path, fresh: bool) -> Result<Seal, Failure> {
        if let Ok(given) = std::env::var("HELIU_KEY") {
            let bytes = hex::decode(given.trim())
                .ok()
                .or_else(|| base64::engine::general_purpose::STANDARD.decode(given.trim()).ok())
                .filter(|b| b.len() == 32)
                .ok_or_else(|| unreadable(Path::new("HELIU_KEY"), "it must be 32 bytes in hex or base64"))?;
            return Seal::from_bytes(&bytes, path);
        }
        match fs::read(path) {
            Ok(bytes) => Seal::from_bytes(&bytes, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && fresh => {
                let mut bytes = [0u8; 32];
                getrandom::fill(&mut bytes).map_err(|e| unreadable(path, &e.to_string()))?;
                make(path, &bytes).map_err(|e| locked_out(path, &e))?;
                // Another process may have made it first: whose key is in the file is the key.
                let bytes = fs::read(path).map_err(|e| unreadable(path, &e.to_string()))?;
                Seal::from_bytes(&bytes, path)
            }
            Err(e) if fresh => Err(locked_out(path, &e)),
            Err(e) => Err(unreadable(path, &e.to_string())),
        }
    }

    fn from_bytes(bytes: &[u8], path: &Path) -> Result<Seal, Failure> {
        let key: [u8; 32] = bytes.try_into().map_err(|_| unreadable(path, "it must hold 32 bytes"))?;
        Ok(Seal(XChaCha20Poly1305::new(&Key::from(key))))
    }

    /// Seals a secret for a place.
    pub fn seal(&self, secret: &Secret, place: &str) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(|e| broken(&e.to_string()))?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: place.as_bytes() };
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| broken("encryption failed"))?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Seal::seal`] made for the same place.
    pub fn open_sealed(&self, sealed: &[u8], place: &str) -> Result<Secret, Failure> {
        let (nonce, body) = sealed.split_at_checked(24).ok_or_else(|| broken("too short"))?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| broken("too short"))?;
        let payload = Payload { msg: body, aad: place.as_bytes() };
        let plain =
            self.0.decrypt(&XNonce::from(nonce), payload).map_err(|_| broken("the key does not fit"))?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| broken("not text"))
    }
}

fn broken(why: &str) -> Failure {
    let why = why.to_owned();
    Failure::config("HL-6011", text!("a sealed secret cannot be opened: {why}", "无法解开封存的机密:{why}"))
        .hint(text!(
            "use the `key` file with which it was sealed, or set the secret again",
            "请使用封存时的 `key` 文件,或重新设置该机密"
        ))
}
