//! `sandbox`

use std::time::Duration;

use heliu_model::Failure;
use heliu_sandbox::{Faults, Sandbox, SandboxError};
use serde_json::json;

use crate::args::SandboxArgs;
use crate::output::{Done, Out, Stop};

/// A sandbox's own failure as ours.
pub fn failed(e: SandboxError) -> Stop {
    Failure::config(e.code, e.text).into()
}

/// `heliu sandbox`
pub async fn sandbox(out: &Out, args: SandboxArgs) -> Done {
    let faults = Faults::parse(&args.faults).map_err(failed)?;
    let mut builder = Sandbox::builder(&args.platform)
        .records(args.records)
        .seed(args.seed)
        .faults(faults)
        .latency(Duration::from_millis(args.latency));
    if let Some(rps) = args.limit_rps {
        builder = builder.limit_rps(rps);
    }
    let sandbox = builder.listen(args.listen.as_str()).await.map_err(|e| {
        // A sound address that is taken is no fault of the command line.
        let sound = args.listen.parse::<std::net::SocketAddr>().is_ok();
        if sound && e.code == SandboxError::CANNOT_LISTEN {
            Failure::transient(e.code, e.text).into()
        } else {
            failed(e)
        }
    })?;
    if out.json {
        let c = sandbox.credentials();
        out.value(&json!({
            "platform": sandbox.platform(),
            "base_url": sandbox.base_url(),
            "credentials": {
                "app_key": c.app_key, "app_secret": c.app_secret,
                "access_token": c.access_token, "refresh_token": c.refresh_token,
            },
            "connector": sandbox.connector_toml(),
        }));
    } else {
        for line in sandbox.summary() {
            out.line(&out.say(&line));
        }
    }
    super::run::until_interrupted().await;
    Ok(0)
}
