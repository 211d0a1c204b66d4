//! Addresses that the platform tells: asked once while the process lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use heliu_model::{Call, CallKind, Failure, text};
use heliu_transform::{Map, Path};

use super::account::{Account, Ask};
use super::encode::Setting;
use super::outcome::Reading;

impl Account {
    /// The discovered addresses by name; none where the manifest knows no discovery.
    pub(super) async fn discovered(
        &self,
        calls: &mut Vec<Call>,
    ) -> Result<Arc<BTreeMap<String, String>>, Failure> {
        let Some((call, places)) = &self.manifest.discover else { return Ok(Arc::default()) };
        let mut known = self.addresses.lock().await;
        if let Some(found) = known.as_ref() {
            return Ok(found.clone());
        }
        let none = BTreeMap::new();
        let set = Setting { call, token: None, refresh: None, addresses: &none };
        let ask = Ask::new(CallKind::Token, "GET", String::new(), Map::new(), self.route(""));
        let wire = self.encode(&ask, &set)?;
        let form = &self.manifest.form.reply;
        let reading = Reading::new(form, None, None, false, self.manifest.timezone);
        let (reply, _) = self.exchange(CallKind::Token, &wire, &self.mask(None), &reading, calls).await?;
        let mut found = BTreeMap::new();
        for (name, place) in places {
            let address =
                reply.outline().ok().and_then(|o| o.text(&Path::with_slashes(place))).unwrap_or_default();
            // Credentials go there: never from a protected connection to an open one.
            let safe = address.starts_with("https://")
                || (address.starts_with("http://") && wire.url.starts_with("http://"));
            if !safe {
                let place = place.to_owned();
                return Err(Failure::config(
                    "HL-3008",
                    text!(
                        "the platform's answer names no usable address at `{place}`: «{address}»",
                        "平台的响应在 `{place}` 处没有可用的地址:“{address}”"
                    ),
                )
                .hint(text!("check the credentials that name the tenant", "请检查标识租户的凭证")));
            }
            found.insert(name.clone(), address.trim_end_matches('/').to_owned());
        }
        let found = Arc::new(found);
        *known = Some(found.clone());
        Ok(found)
    }
}
