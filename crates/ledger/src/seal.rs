//! Sealing of secrets at rest: XChaCha20-Poly1305 with the project's key. The place (table and name) is
//! authenticated with each secret, so that sealed values cannot be swapped.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use heliu_model::{Failure, Secret, Text, text};

/// The sealing key.
#[derive(Clone)]
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
    /// What the ledger knows the key by; the key cannot be told from it.
    mark: String,
}

/// Environment: the key.
const KEY: &str = "HELIU_KEY";
/// Environment: the key that is to replace it.
const NEW_KEY: &str = "HELIU_NEW_KEY";

/// Where a new key waits until everything is sealed with it.
fn next_of(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// Puts the new key into the place of the old one.
pub(crate) fn take_over(path: &Path) -> Result<(), Failure> {
    match fs::rename(next_of(path), path) {
        // Another process did it, or there is no file: the key comes from the environment.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(locked_out(path, &e)),
        Ok(()) => {
            // The name itself must survive a loss of power; where directories cannot be synced, the system does it.
            if let Some(dir) = path.parent().and_then(|d| fs::File::open(d).ok()) {
                let _ = dir.sync_all();
            }
            Ok(())
        }
    }
}

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

/// A key given in text.
fn given(variable: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    let bytes = hex::decode(text.trim())
        .ok()
        .or_else(|| base64::engine::general_purpose::STANDARD.decode(text.trim()).ok())
        .filter(|b| b.len() == 32)
        .ok_or_else(|| unreadable(Path::new(variable), "it must be 32 bytes in hex or base64"))?;
    Ok(Some(bytes))
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
        if let Some(bytes) = given(KEY)? {
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
        let mark = blake3::derive_key("heliu 2026 mark of a sealing key", &key);
        Ok(Seal {
            cipher: XChaCha20Poly1305::new(&Key::from(key)),
            mark: hex::encode(mark.get(..12).unwrap_or(&[])),
        })
    }

    /// What the ledger knows the key by.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The key of this mark, after somebody replaced the one in the file at `path`. A replacement whose last step is
    /// missing is finished.
    pub fn of_mark(path: &Path, mark: &str) -> Result<Seal, Failure> {
        let changed = || {
            unreadable(path, "the ledger has been sealed with another key since").hint(text!(
                "give the key that `heliu secret rotate` made: the file `key`, or the new HELIU_KEY",
                "请使用 `heliu secret rotate` 生成的密钥:`key` 文件或新的 HELIU_KEY"
            ))
        };
        if let Some(bytes) = given(KEY)? {
            return Seal::from_bytes(&bytes, path)
                .and_then(|s| if s.mark == mark { Ok(s) } else { Err(changed()) });
        }
        let next = next_of(path);
        for file in [path, &next] {
            let Ok(bytes) = fs::read(file) else { continue };
            let Ok(seal) = Seal::from_bytes(&bytes, file) else { continue };
            if seal.mark == mark {
                if file == next {
                    take_over(path)?;
                }
                return Ok(seal);
            }
        }
        Err(changed())
    }

    /// A new key: from HELIU_NEW_KEY where the present one comes from HELIU_KEY, else in a file beside the present
    /// one, which [`take_over`] puts into its place.
    pub fn replacement(path: &Path) -> Result<Seal, Failure> {
        if given(KEY)?.is_some() {
            // How the command is used is wrong, not the key that is in use.
            let wrong = |said: Text| {
                Failure::config("HL-8029", said).at(NEW_KEY).hint(text!(
                    "set HELIU_NEW_KEY to 32 random bytes in hex, e.g. of `openssl rand -hex 32`",
                    "请将 HELIU_NEW_KEY 设为 32 个随机字节的十六进制,例如 `openssl rand -hex 32` 的输出"
                ))
            };
            let bytes = match given(NEW_KEY) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    return Err(wrong(text!(
                        "the present key comes from HELIU_KEY, so the new one must be given",
                        "当前密钥来自 HELIU_KEY,因此必须给出新密钥"
                    )));
                }
                Err(_) => {
                    return Err(wrong(text!(
                        "HELIU_NEW_KEY must be 32 bytes in hex or base64",
                        "HELIU_NEW_KEY 应为 32 字节的十六进制或 base64"
                    )));
                }
            };
            return Seal::from_bytes(&bytes, path);
        }
        let next = next_of(path);
        // What an interrupted replacement left, which the ledger does not know.
        match fs::remove_file(&next) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(locked_out(path, &e)),
            _ => {}
        }
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|e| unreadable(path, &e.to_string()))?;
        make(&next, &bytes).map_err(|e| locked_out(path, &e))?;
        Seal::from_bytes(&bytes, path)
    }

    /// Seals a secret for a place.
    pub fn seal(&self, secret: &Secret, place: &str) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(|e| broken(&e.to_string()))?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: place.as_bytes() };
        let sealed =
            self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| broken("encryption failed"))?;
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
            self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| broken("the key does not fit"))?;
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
