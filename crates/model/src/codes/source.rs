//! Codes of the area `source`: calls to outside systems.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-3001",
        ("the address cannot be reached", "无法连接到该地址"),
        (
            "the system is down, the address is wrong, or the network, a proxy or a certificate stands in between",
            "对方不可用、地址错误,或网络、代理、证书有问题",
        ),
        (
            "check `base_url` and the network; `heliu test-connector NAME`",
            "请检查 `base_url` 与网络;执行 `heliu test-connector 名称`",
        ),
    ),
    code(
        "HL-3002",
        ("no connection in time", "连接超时"),
        ("nothing answered within the time for a connection", "在规定时间内没有建立连接"),
        (
            "check the address and the firewall; the run comes back by itself under the scheduler",
            "请检查地址与防火墙;由调度运行时会自动重试",
        ),
    ),
    code(
        "HL-3003",
        ("the request cannot be formed", "无法构造请求"),
        ("an address, header or file of the request is not valid", "请求的地址、请求头或文件无效"),
        ("correct what the message names", "请修正提示的内容"),
    ),
    code(
        "HL-3004",
        ("a record's content would leave its place in the request", "数据内容会越出其在请求中的位置"),
        (
            "a value that goes into a path or a header holds dots, blanks, a line break or the like",
            "用于路径或请求头的值中含有点段、空白、换行等内容",
        ),
        ("correct the record, or map another field", "请修正数据,或改用其他字段"),
    ),
    code(
        "HL-3005",
        ("the reply broke off", "响应中断"),
        ("the connection was lost while the reply was read", "读取响应时连接断开"),
        ("run again; if it happens often, ask for smaller pages", "请重新运行;若经常发生,请减小每页行数"),
    ),
    code(
        "HL-3006",
        ("the reply is too large", "响应过大"),
        ("a reply of more than 64 MiB is not read", "不读取超过 64 MiB 的响应"),
        ("ask for smaller pages", "请减小每页行数"),
    ),
    code(
        "HL-3007",
        (
            "a record holds characters that the platform's character set lacks",
            "数据含有平台字符集无法表示的字符",
        ),
        (
            "the platform reads GBK, and GBK has no emoji and few foreign letters",
            "平台使用 GBK,而 GBK 没有表情符号和部分外文字母",
        ),
        (
            "strip such characters in the mapping, for example with `_function`",
            "请在映射中去除这些字符,例如使用 `_function`",
        ),
    ),
    code(
        "HL-3008",
        ("the platform names no usable address", "平台没有给出可用的地址"),
        (
            "the answer to the question for the account's addresses lacks one, or leads from a protected connection to an open one",
            "查询账户地址的响应中没有地址,或从加密连接指向了明文连接",
        ),
        (
            "check the credentials that name the tenant; set `base_url` by hand if need be",
            "请检查标识租户的凭证;必要时手工设置 `base_url`",
        ),
    ),
    code(
        "HL-3009",
        ("the certificate of the address is refused", "该地址的证书被拒绝"),
        (
            "an authority of the system's own signed it, it is for another host name, or it has expired; nothing was sent",
            "由自建机构签发、主机名不符,或已过期;未发送任何内容",
        ),
        (
            "name the authority's certificate with `ssl_ca` in the connector, correct `base_url`, or have the certificate renewed",
            "请在连接器中用 `ssl_ca` 指定颁发机构的证书,修正 `base_url`,或更新证书",
        ),
    ),
    code(
        "HL-3010",
        ("the reply is no JSON", "响应不是 JSON"),
        (
            "a web page or text came instead: a gateway, a sign-in page, or a wrong address",
            "返回了网页或文本:可能是网关、登录页或地址错误",
        ),
        (
            "open the address in a browser; check `base_url` and `api`",
            "请在浏览器中打开该地址;检查 `base_url` 与 `api`",
        ),
    ),
    code(
        "HL-3011",
        ("the reply is incomplete", "响应不完整"),
        ("it looks like JSON and ends in the middle", "形似 JSON 但中途结束"),
        ("run again; the page is read again as a whole", "请重新运行;该页会整页重读"),
    ),
    code(
        "HL-3012",
        ("the reply holds no records where they should be", "响应中没有数据列表"),
        (
            "`DataKey` or the catalogue names a place that holds something else",
            "`DataKey` 或接口目录指向的位置不是列表",
        ),
        (
            "look at the reply with `heliu calls`, then correct `DataKey`",
            "请用 `heliu calls` 查看响应,再修正 `DataKey`",
        ),
    ),
    code(
        "HL-3013",
        ("a reply holds no list of records", "响应中没有数据列表"),
        (
            "there was nothing to read, or the list stands at a place that is not known",
            "没有数据,或列表位于未知的位置",
        ),
        (
            "look at the reply with `heliu calls PLAN --id CALL`; name the place in otherResponse as `DataKey`",
            "用 `heliu calls 方案 --id 调用` 查看响应;在 otherResponse 中用 `DataKey` 指明位置",
        ),
    ),
    code(
        "HL-3014",
        ("the link to the next page cannot be followed", "无法访问下一页链接"),
        (
            "the reply links to an address that is not below the connector’s `base_url`",
            "响应中的链接不在连接器的 `base_url` 之下",
        ),
        ("set `base_url` to the address that the links begin with", "请把 `base_url` 设为链接的前缀地址"),
    ),
    code(
        "HL-3015",
        ("a reply proves nothing", "响应无法说明任何问题"),
        (
            "it shows no list of records and does not say that the call succeeded: an empty list, or an error in words that nobody declared. The window is not counted as read, and the watermark stays. To a write: it speaks of an error and of no success, and the record is in doubt",
            "其中没有数据列表,也没有表示成功:可能是空列表,也可能是未声明的错误。该时间窗口不算读完,水位线不移动。对写入:响应提到错误而未表示成功,该数据存疑",
        ),
        (
            "look at the reply with `heliu calls PLAN --id CALL`; name the list's place in otherResponse as `DataKey`, or declare with `StatusKey` and `StatusValue` what success looks like; `\"verify\": \"off\"` in the plan takes such a reply for an empty list",
            "用 `heliu calls 方案 --id 调用` 查看响应;在 otherResponse 中用 `DataKey` 指明列表位置,或用 `StatusKey` 与 `StatusValue` 声明成功的样子;方案中的 `\"verify\": \"off\"` 会把这种响应当作空列表",
        ),
    ),
    code(
        "HL-3020",
        ("the platform refuses the call", "平台拒绝了调用"),
        (
            "signature, IP list, permission or parameter, as the platform's code says",
            "签名、IP 白名单、权限或参数问题,见平台返回的代码",
        ),
        ("no repetition mends it: correct it, then run again", "重试无法解决,请修正后重新运行"),
    ),
    code(
        "HL-3021",
        ("the platform asks to slow down", "平台要求降低频率"),
        (
            "more calls than its limits allow, perhaps together with other programs on the same account",
            "调用超过平台限额,可能与同一账号的其他程序叠加",
        ),
        (
            "heliu waits as told; lower `[limits]` if other programs share the account",
            "heliu 会按要求等待;如与其他程序共用账号,请调低 `[limits]`",
        ),
    ),
    code(
        "HL-3022",
        ("the platform fails for the moment", "平台暂时出错"),
        ("its own code says that it is a passing fault", "平台的代码表明是暂时性故障"),
        (
            "nothing: the call is repeated, and what is left waits for the next run",
            "无需处理:会自动重试,其余的等待下次运行",
        ),
    ),
    code(
        "HL-3023",
        ("the platform refuses this record", "平台拒绝该数据"),
        ("its content breaks a rule of the platform", "内容不符合平台规则"),
        (
            "read the platform's words, mend the data or the mapping, then `heliu retry`",
            "请按平台提示修正数据或映射,然后执行 `heliu retry`",
        ),
    ),
    code(
        "HL-3030",
        ("too many requests", "请求过于频繁"),
        ("HTTP 429, or 503 with a time to wait", "HTTP 429,或带等待时间的 503"),
        ("heliu waits as told; lower `[limits]`", "heliu 会按要求等待;可调低 `[limits]`"),
    ),
    code(
        "HL-3031",
        ("the other side fails for the moment", "对方暂时出错"),
        ("an HTTP 5xx or a time-out of a gateway", "HTTP 5xx 或网关超时"),
        (
            "nothing: reads are repeated; a write whose answer was lost is shown as in doubt",
            "无需处理:读取会自动重试;写入结果不明的会标为存疑",
        ),
    ),
    code(
        "HL-3032",
        ("the request is refused", "请求被拒绝"),
        (
            "an HTTP 4xx: address, interface name, parameter or permission",
            "HTTP 4xx:地址、接口名、参数或权限有误",
        ),
        ("check what the message quotes", "请检查提示中引用的内容"),
    ),
    code(
        "HL-3033",
        ("the address answers with another one", "该地址要求跳转到另一个地址"),
        (
            "a redirection to another host, or one that would repeat a write, is not followed: credentials would go along",
            "跳转到其他主机或会重复写入时不会跟随,以免凭证外泄",
        ),
        ("put the right address into `base_url`", "请把正确的地址填入 `base_url`"),
    ),
    code(
        "HL-3040",
        ("stored records can no longer be read", "已保存的数据无法再读取"),
        (
            "the window of a plan that reads another plan's records reaches back to records whose contents retention removed",
            "读取其他方案数据的方案,其窗口包含内容已按保留期清理的数据",
        ),
        (
            "let the plan begin later (`start`, or `heliu watermark PLAN --set T`), or keep contents longer (`[retention]`)",
            "请让方案从更晚开始(`start` 或 `heliu watermark 方案 --set 时间`),或在 `[retention]` 中延长保留",
        ),
    ),
    code(
        "HL-3090",
        ("the HTTP client cannot be made", "无法创建 HTTP 客户端"),
        ("the machine has no usable certificates or refuses sockets", "本机没有可用的证书,或无法创建套接字"),
        ("install the system's CA certificates", "请安装系统的 CA 证书"),
    ),
    code(
        "HL-3091",
        ("the program is being stopped", "程序正在停止"),
        ("the budget of the connector was closed during a call", "调用过程中连接器的额度已关闭"),
        ("run again", "请重新运行"),
    ),
];
