//! What is shown when a stand-in starts.

use heliu_transform::{Text, text};

use crate::server::Sandbox;

impl Sandbox {
    /// A connector file for this stand-in, ready to be saved as `connectors/<name>.toml`.
    pub fn connector_toml(&self) -> String {
        let url = self.base_url();
        if self.platform() == "bench" {
            return format!("platform = \"http\"\nbase_url = \"{url}\"\nauth     = \"none\"\n");
        }
        let c = self.credentials();
        format!(
            "platform = \"jushuitan\"\nbase_url = \"{url}\"\n\n[credentials]\napp_key       = \"{}\"\napp_secret    = \"{}\"\naccess_token  = \"{}\"\nrefresh_token = \"{}\"\n",
            c.app_key, c.app_secret, c.access_token, c.refresh_token
        )
    }

    /// The lines to show at the start: address, connector, calls to try.
    pub fn summary(&self) -> Vec<Text> {
        let (url, name) = (self.base_url(), self.platform());
        let mut lines = vec![
            text!("sandbox of `{name}` listens on {url}", "`{name}` 沙箱已启动：{url}"),
            text!("connector (save as connectors/{name}.toml):", "连接器（保存为 connectors/{name}.toml）："),
        ];
        lines.extend(self.connector_toml().lines().map(Text::same));
        lines.push(text!("calls to try:", "可尝试的调用："));
        let calls = if name == "bench" {
            vec![format!("curl '{url}/orders?page=1&page_size=100'")]
        } else {
            vec![
                "heliu test-connector jushuitan".to_owned(),
                format!("curl {url}/_sandbox/log"),
                format!("curl '{url}/_sandbox/truth?of=shops'"),
                format!("curl -d '{{\"list\":\"502@1,cut:0.05\"}}' {url}/_sandbox/faults"),
                format!("curl -X POST {url}/_sandbox/expire-token"),
            ]
        };
        lines.extend(calls.into_iter().map(|c| Text::same(format!("  {c}"))));
        lines
    }
}
