"""Every text that the terminal shows or prints; the names of financial transactions are in ``kinds``."""

from __future__ import annotations

from collections.abc import Mapping

from .dialect import Dialect

_UNIONPAY: Mapping[str, str] = {
    "97": "终端未登记,请联系收单行或银联",
    "03": "商户未登记",
    "58": "终端无效,请联系收单行或银联",
    "77": "请向网络中心签到",
    "99": "校验错,请重新签到",
    "A0": "校验错,请重新签到",
    "91": "发卡方状态不正常,请稍后重试",
    "96": "系统故障,请稍后重试",
    "98": "交易超时",
}
_ELSEWHERE = {code: text for code, text in _UNIONPAY.items() if code != "97"}  # e.g. "totals reset"
TABLES: Mapping[str, Mapping[str, str]] = {  # by network
    "unionpay": _UNIONPAY,
    "aunz": {**_ELSEWHERE, "89": "终端未登记"},
    "gicc": {**_ELSEWHERE, "58": "终端未登记"},
}
UNKNOWN_CODE = "交易失败"
_LATE, _TRY_AGAIN = "68", "交易超时,请重试"


def of_code(code: str, dialect: Dialect) -> str:
    """What a response code means to the operator, in the dialect's network."""
    if code == _LATE and dialect.category(code) == "B":
        return _TRY_AGAIN
    return TABLES[dialect.network].get(code, UNKNOWN_CODE)


def code_line(code: str) -> str:
    return f"应答码:{code}"


# idle, status row, menus
WELCOME, HINT = "欢迎使用", "请按确认键消费"
SIGNED_IN, NOT_SIGNED_IN, REVERSAL_PENDING = "已签到", "未签到", "冲正"
MENU_TITLE, MANAGEMENT_TITLE = "功能菜单", "管理菜单"
FUNCTIONS = {
    "sign_in": "签到", "settle": "结算", "echo": "回响测试", "reprint": "重打印", "manage": "管理", "sign_off": "签退",
    "parameter_download": "参数下载", "status_upload": "状态上送", "capk_update": "公钥下载",
    "ic_parameter_update": "IC卡参数下载", "blacklist_update": "黑名单下载", "select_merchant": "选择商户",
    "software_update": "软件更新",
}
MANAGEMENT = ("终端参数", "主密钥", "版本", "激活")
ACTIVATION = "终端激活"

# dialogs
ASK_AMOUNT, ASK_CARD, ASK_PIN = "请输入金额", "请刷卡或插卡", "请输入密码"
ASK_TRACE, CONFIRM_VOID, CONFIRM_SETTLEMENT = "请输入原凭证号", "撤销确认", "确认结算"
ASK_REFERENCE, ASK_DATE, ASK_AUTHORISATION = "请输入原参考号", "请输入原交易日期", "请输入授权码"
ASK_TIP, ASK_EXPIRY, ASK_SIGNATURE, ASK_MERCHANT = "请输入小费", "请输入有效期", "请签名", "请选择商户"
ASK_TID, ASK_MID, ASK_TMK = "请输入终端号", "请输入商户号", "请输入主密钥"
ASK_ACTIVATION_CODE = "请输入激活码"
ENTER_OR_CANCEL = "确认键继续 取消键退出"
CARD_UNREADABLE, UNKNOWN_PAYMENT_CODE = "读卡错误,请重试", "不支持的付款码"

# steps of an online transaction
TRACE_LABEL, REFERENCE_LABEL, AUTHORISATION_LABEL, BALANCE_LABEL = "凭证号:", "参考号:", "授权码:", "余额:"
WAIT_PLEASE, CONNECTING, SENDING, WAITING = "请稍候", "正在连接", "正在发送", "等待应答"

# the terminal's own parts
PRINTER_FAULT, PRINTER_HOT, NO_PAPER = "打印机故障", "打印机过热", "打印机缺纸"
STRIPE_FAULT, CHIP_FAULT, CONTACTLESS_FAULT, SWIPE_AGAIN = "读卡器故障", "IC卡读取失败", "非接读卡器故障", "请重新刷卡"
CLOCK_FAULT, BATTERY_LOW, BATTERY_EMPTY = "时钟故障", "电量低", "电量耗尽"
TAMPERED = "设备被拆,请送修"

# results
APPROVED, SIGN_IN_DONE, SETTLEMENT_DONE, ECHO_DONE = "交易成功", "签到成功", "结算成功", "回响成功"
SIGN_OFF_DONE, PARAMETERS_DONE, STATUS_DONE = "签退成功", "参数下载完成", "状态上送完成"
CA_KEYS_DONE, CHIP_PARAMETERS_DONE, BLACKLIST_DONE = "公钥下载完成", "IC卡参数下载完成", "黑名单下载完成"
BLACKLISTED, NOT_ALLOWED = "黑名单卡,拒绝交易", "不允许此交易"
REPRINT_DONE, SETTING_DONE, ACTIVATED = "重打印完成", "设置成功", "激活成功"
DECLINED, NO_ANSWER, NOT_CONNECTED, NO_VALID_ANSWER = "交易失败", "通讯超时", "连接失败", "应答无效"
NAME_UNKNOWN, NETWORK_DOWN = "域名解析失败", "网络未就绪"  # no connection, and this is why
NO_SIM, NO_SIGNAL, NOT_REGISTERED = "未插SIM卡", "无信号", "网络注册失败"
NO_SESSION, MODEM_SILENT = "数据连接失败", "通讯模块故障"
SIGNAL_GOOD, SIGNAL_WEAK, SIGNAL_NONE = "信号强", "信号弱", "无网"
SIGN_IN_FIRST, SETTLE_FIRST, REVERSAL_STUCK = "请先签到", "请先结算", "冲正未成功"
SCRIPT_STUCK, STORED_STUCK = "脚本通知未成功", "离线交易上送未成功"
REPEAT, TOTALS_RESET = "已重新签到,请重试", "总额已清零"
CARD_REFUSED, WRONG_CARD, TIP_TOO_HIGH, NO_BALANCE = "卡片拒绝交易", "卡号与原交易不符", "小费超过限额", "余额未返回"
CANCELLED, BUSY, BAD_COMMAND = "交易已取消", "终端忙", "命令错误"
GONE = "数据已移交,请换机"  # to another unit
NO_SUCH_TRANSACTION, ALREADY_VOIDED, NOTHING_TO_PRINT = "无此交易", "原交易已撤销", "无可打印凭证"
ALREADY_REPLACED, REVERSAL_RECORD = "原交易已调整", "冲正记录"
KEY_FAULT, SETTING_REFUSED, NOT_SET_UP, KCV = "密钥错误", "设置失败", "请先设置", "校验值:"
ALERT, STORAGE_FAULT = "提示", "存储故障,请送修"

# other software
UPDATE, RECEIVED, UPDATE_FAILED = "程序更新", "接收", "更新失败"
UPDATE_DONE, NO_UPDATE = "程序下载完成", "无新版本"
_UPDATE_REASONS: Mapping[str, str] = {
    "70": "程序损坏", "71": "签名错误", "72": "机型不符", "73": "传输中断", "74": "版本过低", "75": "数据格式不符",
    "76": "空间不足", "77": "未装入程序", "78": "新版本启动失败,已恢复", "85": "请先结算", "86": "有未完成的冲正",
    "90": "终端忙",
}


def update_reason(number: str) -> str:
    """Why other software was not taken."""
    return f"原因{number}:{_UPDATE_REASONS[number]}"
SELF_TEST, SELF_TEST_FAILED, STORED_FORMAT = "程序自检", "自检失败", "数据格式:"
FILE_CHANGED = "数据被改:"
