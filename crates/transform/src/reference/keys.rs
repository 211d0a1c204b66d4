//! Keys of metadata documents and of their items.

/// A key and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// `source`, `target` or `both`.
    pub side: &'static str,
    /// What it means: English, 中文.
    pub about: (&'static str, &'static str),
}

const fn key(name: &'static str, side: &'static str, about: (&'static str, &'static str)) -> Key {
    Key { name, side, about }
}

/// Keys of a document (dialect §2.1–2.3); others are kept and reported.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("api", "both", ("interface name: path, dotted method, or operation word; `{name}` in it is filled from a parameter", "接口名:路径、点号方法名或操作名;其中的 `{名称}` 由参数填充")),
    key("effect", "both", ("QUERY or EXECUTE; by side without it", "QUERY 或 EXECUTE,缺省按所在侧")),
    key("type", "both", ("older spelling of effect", "effect 的旧写法")),
    key("method", "both", ("HTTP verb, default POST", "HTTP 方法,默认 POST")),
    key("id", "source", ("field that identifies a record; a dotted path is allowed", "唯一标识数据的字段,可用点号路径")),
    key("number", "source", ("field shown to people, default id", "显示用的编码字段,默认同 id")),
    key("name", "source", ("a third display field", "第三个显示字段")),
    key("idCheck", "both", ("true: unchanged records are not written again", "true:未变化的数据不再写入")),
    key("adapter", "both", ("the vendor's class; kept, without effect", "原平台的适配器类,保留但不起作用")),
    key("pagination", "source", ("pageSize, startPage and the names of page fields", "pageSize、startPage 以及分页字段名")),
    key("request", "both", ("business parameters: a list of items", "业务参数:字段项列表")),
    key("otherRequest", "both", ("system parameters, apart from the business ones", "系统参数,与业务参数分开")),
    key("response", "both", ("source: fields of the result; target: `primaryWriteback`, what is kept of the reply with each record", "源端:结果字段;目标端:`primaryWriteback`,即随数据保存的应答字段")),
    key("otherResponse", "both", ("how replies are read: StatusKey, StatusValue, DataKey, PageKey …", "响应解析:StatusKey、StatusValue、DataKey、PageKey 等")),
    key("autoFillResponse", "source", ("learn the result's fields into response: `heliu preview` lists what the stored records have shown; no data changes", "将结果字段学习到 response:`heliu preview` 会列出已存数据出现过的字段,数据不变")),
    key("buildModel", "both", ("enforce the declared types", "按声明的类型建模")),
    key("condition", "source", ("which records are kept: outer list OR, inner list AND", "保留哪些数据:外层为或,内层为且")),
    key("condition_bk", "source", ("a parked condition, never applied", "停用的条件,从不生效")),
    key("formatResponse", "source", ("formatted copies of fields", "字段的格式化副本")),
    key("beatFlat", "source", ("arrays that become one record per element", "拍扁:数组的每个元素成为一条数据")),
    key("beatFlatBase", "source", ("first number of the ids' suffixes, default 1", "id 后缀的起始数,默认 1")),
    key("operation", "both", ("source: splitArray; target: how records form a write", "源端:splitArray;目标端:数据如何组成一次写入")),
    key("omissionRemedy", "source", ("a second reading with its own schedule and fields", "漏单补偿:自有调度与参数的二次读取")),
    key("groupCalculate", "target", ("aggregation of flattened records", "数据聚合")),
    key("callBackStrategy", "target", ("`strategyId`: another plan that receives the other members after each success, as an object; values over the record and its `primaryWriteback`", "`strategyId`:写入成功后接收数据的其他方案;其余成员按数据与其 `primaryWriteback` 求值后作为一个对象传递")),
    key("distributionOrg", "target", ("organisations that saved data is distributed to", "分配的组织")),
    key("autoCheck", "target", ("audit the saved document", "自动审核")),
    key("otherapi", "source", ("detail interface that is called per element; it and its companions may stand here, or as items of `otherResponse`, `otherRequest` or `request`", "按元素调用的明细接口;与其相关的键可写在此处,也可写作 `otherResponse`、`otherRequest` 或 `request` 的字段项")),
    key("detailkey", "source", ("key under which the detail is put", "明细所在的键")),
    key("detailkey1", "source", ("parameter of the detail call", "明细调用的参数名")),
    key("detailkey2", "source", ("field of the element that fills it", "填充该参数的元素字段")),
    key("otherkey", "source", ("list-then-detail in the WeCom form", "企业微信形式的列表明细")),
    key("islist", "source", ("`list` or `detail`", "`list` 或 `detail`")),
    key("detailApi", "source", ("list-then-detail in the 管易 form", "管易形式的列表明细")),
    key("strict", "both", ("false: a `_function` that fails keeps its text", "false:`_function` 失败时保留原文")),
    key("DownloadAttachment", "source", ("attachment download", "附件下载")),
    key("AttachmentFields", "source", ("fields with attachments", "附件字段")),
    key("downloadRequest", "source", ("parameters of the download", "下载参数")),
    key("downloadapi", "source", ("interface of the download", "下载接口")),
    key("downStrategyId", "source", ("plan of the download", "下载方案")),
    key("SourceStrategyId", "source", ("plan whose attachments are loaded", "附件来源方案")),
    key("AttachmentFileName", "source", ("name of the file", "附件文件名")),
    key("isUploadFile", "target", ("attachment upload", "附件上传")),
    key("uploadAttachment", "target", ("attachment upload", "附件上传")),
    key("uploadapi", "target", ("interface of the upload", "上传接口")),
    key("upload", "target", ("what is uploaded", "上传内容")),
    key("attachmentField", "target", ("field of the attachment", "附件字段")),
    key("filePathField", "target", ("field of the file's path", "文件路径字段")),
    key("requestParams", "both", ("spelling of request in the generic layer", "request 的通用层写法")),
    key("otherRequestParams", "both", ("spelling of otherRequest in the generic layer", "otherRequest 的通用层写法")),
    key("responseParams", "both", ("spelling of response in the generic layer", "response 的通用层写法")),
    key("otherResponseParams", "both", ("spelling of otherResponse in the generic layer", "otherResponse 的通用层写法")),
    key("flattenConfig", "source", ("spelling of beatFlat in the generic layer", "beatFlat 的通用层写法")),
    key("label", "both", ("a name for people", "显示名称")),
    key("describe", "both", ("a remark", "说明")),
    key("title", "both", ("a heading", "标题")),
];

/// Keys of an item (dialect §2.6).
#[rustfmt::skip]
pub const ITEM_KEYS: &[Key] = &[
    key("field", "both", ("output key", "输出键名")),
    key("label", "both", ("name for people, default field", "显示名称,默认同 field")),
    key("type", "both", ("string, int, float, bool, datetime, date, object, array", "string、int、float、bool、datetime、date、object、array")),
    key("describe", "both", ("help text; `_autoFillResponse` marks a learned field", "说明;`_autoFillResponse` 表示学习得到")),
    key("value", "both", ("constant, template, directive, or the array of a container", "常量、模板、指令,或容器的数组名")),
    key("parser", "both", ("what is made of the value", "解析器")),
    key("mapping", "both", ("static value map: pairs, or `target` naming a map of the project", "静态映射:键值对,或以 `target` 指定项目中的映射表")),
    key("children", "both", ("members of an object or array", "对象或数组的成员")),
    key("parent", "both", ("name of the container in the flat form", "平铺形式中的容器名")),
    key("parent_id", "both", ("the editor's id; ignored", "编辑器标识,忽略")),
    key("id", "both", ("the editor's id; ignored", "编辑器标识,忽略")),
    key("is_required", "both", ("a missing value is an error", "必填,缺值报错")),
    key("default", "both", ("used where the value is null or blank", "值为空时使用")),
    key("name", "both", ("name for people", "显示名称")),
    key("enum", "both", ("allowed values; kept", "可选值,保留")),
    key("itemMapping", "both", ("makes an object of each element; `{{item}}` is the element", "将每个元素映射为对象,`{{item}}` 为元素")),
    key("物理建模", "both", ("switch of the editor; kept", "编辑器开关,保留")),
    key("表单建模", "both", ("switch of the editor; kept", "编辑器开关,保留")),
    key("列表建模", "both", ("switch of the editor; kept", "编辑器开关,保留")),
];
