-- UnionPay POS terminal dialect of ISO 8583 over TCP, for Wireshark and tshark 4.0 or later.
--
-- 2-byte big-endian length of what follows, TPDU (5), header (6), MTI (2 BCD), one bitmap (8), fields 2 to 64.
-- Use: tshark -X lua_script:hil97.lua -r FILE, or put this file into the personal plugin folder of Wireshark.
-- Ports: preference hil97.ports, Decode As (tcp.port, tls.port), or the heuristic. Page: docs/dissector.md
--
-- Shares nothing with harness/protocol, on purpose: the tests compare the two readings.

local hil97 = Proto("hil97", "UnionPay POS (ISO 8583)")

hil97.prefs.ports = Pref.range("TCP ports", "8583", "Ports on which this dialect is spoken", 65535)
hil97.prefs.heuristic = Pref.bool("Look at other ports too", true, "Recognise a frame by its TPDU, header and MTI")

-- kind: n packed decimal, z packed track (any nibble), a text, b binary. size: exact (prefix 0) or greatest, in digits
-- for n and z, in bytes for a and b. prefix: bytes of the BCD length. left: an odd number of digits is filled there.
local FIELDS = {
  [2] = { "Primary account number", "n", 19, 1 }, [3] = { "Processing code", "n", 6, 0 },
  [4] = { "Amount", "n", 12, 0 }, [11] = { "Trace number", "n", 6, 0 },
  [12] = { "Local time", "n", 6, 0 }, [13] = { "Local date", "n", 4, 0 },
  [14] = { "Expiry date", "n", 4, 0 }, [15] = { "Settlement date", "n", 4, 0 },
  [22] = { "Entry mode", "n", 3, 0 }, [23] = { "Card sequence number", "n", 3, 0, "left" },
  [25] = { "Condition code", "n", 2, 0 }, [26] = { "PIN capture code", "n", 2, 0 },
  [32] = { "Acquiring institution", "n", 11, 1 }, [35] = { "Track 2", "z", 37, 1 },
  [36] = { "Track 3", "z", 104, 2 }, [37] = { "Retrieval reference number", "a", 12, 0 },
  [38] = { "Authorisation code", "a", 6, 0 }, [39] = { "Response code", "a", 2, 0 },
  [41] = { "Terminal number", "a", 8, 0 }, [42] = { "Merchant number", "a", 15, 0 },
  [44] = { "Additional response data", "a", 99, 1 }, [48] = { "Additional data", "n", 999, 2 },
  [49] = { "Currency", "a", 3, 0 }, [52] = { "PIN block", "b", 8, 0 },
  [53] = { "Security control information", "n", 16, 0 }, [54] = { "Additional amounts", "a", 20, 2 },
  [55] = { "Chip data", "b", 999, 2 }, [59] = { "Detail information", "a", 999, 2 },
  [60] = { "Message type, batch, network code", "n", 17, 2 }, [61] = { "Original transaction", "n", 999, 2 },
  [62] = { "Keys, parameters", "b", 999, 2 }, [63] = { "Operator, texts", "a", 999, 2 },
  [64] = { "MAC", "a", 8, 0 },
}

local MTI = { ["01"] = "Authorisation", ["02"] = "Financial", ["03"] = "File upload", ["04"] = "Reversal",
  ["05"] = "Settlement", ["06"] = "Script notice", ["08"] = "Network management" }
local CLASS = { [0x60] = "magnetic-stripe POS", [0x61] = "chip POS", [0x62] = "magnetic value-added",
  [0x63] = "chip value-added" }
local STATUS = { [0] = "normal", [1] = "test mode" }
local REQUEST = { [0] = "none", [1] = "download terminal parameters", [2] = "upload terminal status",
  [3] = "sign in again", [4] = "update CA public keys", [5] = "download IC parameters",
  [6] = "software download (TMS)", [7] = "card BIN blacklist download", [8] = "currency rates",
  [9] = "contactless no-PIN parameters" }
local CODES = { ["00"] = "approved", ["01"] = "refer to issuer", ["03"] = "merchant invalid or not registered",
  ["04"] = "capture card", ["05"] = "do not honour", ["10"] = "partial approval", ["11"] = "VIP approval",
  ["12"] = "invalid transaction", ["13"] = "invalid amount", ["14"] = "invalid card", ["15"] = "no such issuer",
  ["22"] = "suspected mis-operation", ["25"] = "original not found", ["30"] = "format error",
  ["34"] = "fraud", ["38"] = "PIN tries exceeded", ["40"] = "function not supported", ["41"] = "lost card",
  ["43"] = "stolen card", ["51"] = "insufficient funds", ["54"] = "expired card", ["55"] = "wrong PIN",
  ["57"] = "not permitted to cardholder", ["58"] = "not permitted to terminal", ["61"] = "amount limit",
  ["62"] = "restricted card", ["64"] = "amount does not match the original", ["65"] = "number limit",
  ["68"] = "late response", ["75"] = "PIN tries exceeded", ["77"] = "terminal must sign in",
  ["79"] = "offline totals mismatch", ["90"] = "cutover", ["91"] = "issuer down", ["92"] = "issuer unreachable",
  ["94"] = "duplicate", ["96"] = "switch fault", ["97"] = "terminal not registered", ["98"] = "no issuer answer",
  ["99"] = "PIN format error", ["A0"] = "MAC error", ["A1"] = "currency error", ["A2"] = "success, defective",
  ["A3"] = "account error", ["A4"] = "success, defective", ["A5"] = "success, defective",
  ["A6"] = "success, defective", ["A7"] = "security processing failed" }
local REASONS = { ["98"] = "no response, or late", ["96"] = "terminal fault after approval",
  ["A0"] = "MAC of the response wrong", ["06"] = "other" }
local ENTRY = { ["01"] = "manual", ["02"] = "magnetic stripe", ["03"] = "scanned code", ["05"] = "chip",
  ["07"] = "contactless" }
local NETWORK = { -- 60.1 = 00: request MTI and 60.3
  ["0800"] = { ["001"] = "sign-in", ["003"] = "sign-in", ["004"] = "sign-in", ["005"] = "sign-in", ["006"] = "sign-in",
    ["360"] = "parameter download", ["364"] = "parameter download", ["370"] = "CA key download", ["371"] = "CA key end",
    ["380"] = "IC parameter download", ["381"] = "IC parameter end", ["390"] = "blacklist", ["391"] = "blacklist end",
    ["394"] = "contactless parameters", ["395"] = "contactless parameters end",
    ["396"] = "activation" },
  ["0820"] = { ["002"] = "sign-off", ["301"] = "echo", ["401"] = "points sign-in", ["362"] = "status upload",
    ["372"] = "CA key list", ["382"] = "IC parameter list" },
  ["0500"] = { ["201"] = "settlement" },
  ["0320"] = { ["201"] = "batch upload", ["203"] = "IC upload", ["204"] = "IC upload, failed", ["205"] = "IC upload",
    ["206"] = "IC upload", ["207"] = "batch end, balanced", ["202"] = "batch end, unbalanced" },
  ["0620"] = { ["951"] = "script notice" },
}
local MONEY = { -- request MTI and 60.1
  ["0200"] = { ["01"] = "balance", ["22"] = "sale", ["23"] = "void", ["20"] = "completion", ["21"] = "completion void",
    ["36"] = "IC offline sale", ["45"] = "load", ["46"] = "cash load", ["47"] = "load", ["51"] = "cash load void" },
  ["0220"] = { ["25"] = "refund", ["27"] = "refund", ["24"] = "completion advice", ["30"] = "offline sale",
    ["32"] = "offline adjustment", ["34"] = "offline tip", ["36"] = "IC offline sale" },
  ["0100"] = { ["10"] = "pre-authorisation", ["11"] = "pre-authorisation void" },
  ["0820"] = { ["07"] = "signature upload" },
}
local KEYS = { -- F62 of a sign-in's answer: name and bytes of each part
  ["001"] = { { "pik", 8 }, { "mak", 8 } }, ["003"] = { { "pik", 16 }, { "mak", 16 } },
  ["004"] = { { "pik", 16 }, { "mak", 16 }, { "tdk", 16 } },
  ["005"] = { { "pik", 16 }, { "mak", 16 } }, ["006"] = { { "pik", 16 }, { "mak", 16 } },
}

-- CA keys and IC parameters: F62 of a list's request is "1" and a count, of a download's request TLV; of each answer one
-- character and TLV.
local LISTS = { ["372"] = "list", ["382"] = "list", ["373"] = "list", ["370"] = "get", ["380"] = "get" }
local STATES = { ["1"] = "end, or the one asked for", ["2"] = "more follow", ["3"] = "end" }

-- Fields for the tree. hil97.f2 ... hil97.f64, and the parts of those that have parts.
local F = {}
for number, spec in pairs(FIELDS) do
  F["f" .. number] = ProtoField.string("hil97.f" .. number, string.format("F%d %s", number, spec[1]))
end
for name, title in pairs({
  tpdu = "TPDU", tpdu_destination = "Destination", tpdu_source = "Source", header = "Header", version = "Version",
  sub_version = "Sub-version", mti = "Message type", transaction = "Transaction", bitmap = "Bitmap",
  code_text = "Meaning", reason = "Reason for the reversal", entry = "Entry", pin = "PIN", f48_home = "Domestic cards",
  f48_foreign = "Foreign cards", f48_record = "Record", f48_count = "Count", f53_format = "PIN block format",
  f53_algorithm = "Algorithm", f53_track = "Track encrypted", f54_amount = "Amount", f59_item = "Item",
  f60_type = "60.1 Message type", f60_batch = "60.2 Batch", f60_network = "60.3 Network code",
  f60_capability = "60.4 Entry capability", f60_chip = "60.5 Chip condition", f60_partial = "60.6 Partial approval",
  f61_batch = "Original batch", f61_trace = "Original trace", f61_date = "Original date", f62_serial = "Serial number",
  f62_state = "State of the list", f62_count = "Count so far", f63_operator = "Operator", f63_organisation = "Organisation", f63_text = "Text",
  tlv_tag = "Tag" }) do
  F[name] = ProtoField.string("hil97." .. name, title, base.UNICODE)
end
for _, name in ipairs({ "pik", "mak", "tdk" }) do
  F[name] = ProtoField.bytes("hil97." .. name, name:upper() .. ", enciphered")
  F[name .. "_kcv"] = ProtoField.bytes("hil97." .. name .. "_kcv", name:upper() .. " check value")
end
F.tlv_value = ProtoField.bytes("hil97.tlv_value", "Value")
F.length = ProtoField.uint16("hil97.length", "Length", base.DEC)
F.class = ProtoField.uint8("hil97.class", "Application class", base.HEX, CLASS)
F.status = ProtoField.uint8("hil97.status", "Terminal status", base.DEC, STATUS, 0xF0)
F.request = ProtoField.uint8("hil97.request", "Processing request", base.DEC, REQUEST, 0x0F)
hil97.fields = F

local E = {
  malformed = ProtoExpert.new("hil97.malformed", "Malformed frame", expert.group.MALFORMED, expert.severity.ERROR),
  content = ProtoExpert.new("hil97.content", "Unexpected content", expert.group.PROTOCOL, expert.severity.WARN),
  declined = ProtoExpert.new("hil97.declined", "Declined", expert.group.RESPONSE_CODE, expert.severity.NOTE),
}
hil97.experts = E

local function fail(where, words) error({ range = where, words = words }, 0) end
local function hex(range) return range:bytes():tohex() end
local function decimal(text) return text:find("^%d*$") ~= nil end
local function gbk(range) return range:len() == 0 and "" or range:string(ENC_GB18030 or ENC_ISO_8859_1) end
local function request_of(mti)
  local odd = tonumber(mti:sub(3, 3)) % 2 == 1
  return odd and string.format("%04d", tonumber(mti) - 10) or mti, odd
end

-- One field at offset of tvb. Returns the range of the whole field, its value (text), the range of that (nil where it
-- is empty), and the next offset. ascii: field 48 has its digits as text, which sources have besides packed ones.
local function read_field(tvb, offset, number, ascii)
  local spec = FIELDS[number]
  local kind, size, prefix, left = spec[2], spec[3], spec[4], spec[5] == "left"
  local text48 = ascii and number == 48
  if text48 then kind = "a" end
  local packed = kind == "n" or kind == "z"
  local start, count = offset, size
  if prefix > 0 then
    if offset + prefix > tvb:len() then fail(tvb(), "F" .. number .. ": the frame ends before its length") end
    local digits = hex(tvb(offset, prefix))
    if not decimal(digits) then fail(tvb(offset, prefix), "F" .. number .. ": its length " .. digits .. " is no number") end
    count = tonumber(digits)
    if count > size then fail(tvb(offset, prefix), "F" .. number .. ": its length " .. count .. " is above " .. size) end
    offset = offset + prefix
  end
  local bytes = packed and math.floor((count + 1) / 2) or count
  if offset + bytes > tvb:len() then fail(tvb(start), "F" .. number .. ": the frame ends before its end") end
  local whole = tvb(start, offset + bytes - start)
  if bytes == 0 then return whole, "", nil, offset end
  local range = tvb(offset, bytes)
  local value = hex(range)
  if packed then
    if count % 2 == 1 then
      local pad = left and value:sub(1, 1) or value:sub(-1)
      if pad ~= "0" then fail(range, "F" .. number .. ": its pad nibble is " .. pad) end
      value = left and value:sub(2) or value:sub(1, -2)
    end
    if kind == "n" and not decimal(value) then fail(range, "F" .. number .. ": " .. value .. " are no decimal digits") end
  elseif kind == "a" then
    value = gbk(range)
    if text48 and not decimal(value) then fail(range, "F48: " .. value .. " are no decimal digits") end
  end
  return whole, value, range, offset + bytes
end

-- All fields of the bitmap, each given to take(number, whole, value, range).
local function read_fields(tvb, numbers, ascii, take)
  local offset = 23
  for _, number in ipairs(numbers) do
    local whole, value, range
    whole, value, range, offset = read_field(tvb, offset, number, ascii)
    take(number, whole, value, range)
  end
  if offset < tvb:len() then fail(tvb(offset), (tvb:len() - offset) .. " bytes stand behind the last field") end
end

-- Is field 48 written as text? Only where the frame can't be read with a packed one.
local function has_text48(tvb, numbers)
  local nothing = function() end
  return not pcall(read_fields, tvb, numbers, false, nothing) and pcall(read_fields, tvb, numbers, true, nothing)
end

local function note(item, words) item:add_proto_expert_info(E.content, words) end

local function totals(text)
  return string.format("debit %s in %s, credit %s in %s, result %s", text:sub(1, 12), text:sub(13, 15),
    text:sub(16, 27), text:sub(28, 30), text:sub(31))
end

-- BER-TLV below item; depth bounds templates in templates.
local function read_tlv(tvb, item, depth)
  local at, size = 0, tvb:len()
  while at < size do
    local start = at
    local first = tvb(at, 1):uint()
    at = at + 1
    if first ~= 0 then
      if first % 32 == 31 then
        while at < size and tvb(at, 1):uint() >= 128 do at = at + 1 end
        at = at + 1
      end
      if at >= size then return note(item, "the data ends inside a tag or before its length") end
      local tag = hex(tvb(start, at - start))
      local length = tvb(at, 1):uint()
      at = at + 1
      if length >= 128 then
        local more = length - 128
        if more < 1 or more > 2 or at + more > size then return note(item, "tag " .. tag .. " has a bad length") end
        length = tvb(at, more):uint()
        at = at + more
      end
      if at + length > size then return note(item, "tag " .. tag .. " ends behind the field") end
      local element = item:add(F.tlv_tag, tvb(start, at + length - start), tag)
      if length > 0 then
        element:add(F.tlv_value, tvb(at, length))
        if math.floor(first / 32) % 2 == 1 and depth < 3 then read_tlv(tvb(at, length):tvb(), element, depth + 1) end
      end
      at = at + length
    end
  end
end

-- Text TLV of F59: tag (2), decimal length (3), value.
local function read_text_tlv(range, item, depth)
  local at, size = 0, range:len()
  while at < size do
    local digits = at + 5 <= size and range(at + 2, 3):string(ENC_ISO_8859_1) or ""
    if not digits:find("^%d%d%d$") then return note(item, "an item has no 3-digit length") end
    local length = tonumber(digits)
    if at + 5 + length > size then return note(item, "an item ends behind the field") end
    local tag = range(at, 2):string(ENC_ISO_8859_1)
    local value = length > 0 and range(at + 5, length) or nil
    local part = item:add(F.f59_item, range(at, 5 + length), tag .. " " .. (value and gbk(value) or ""))
    if tag == "A2" and value and depth == 0 then read_text_tlv(value, part, 1) end
    at = at + 5 + length
  end
end

-- What stands inside a field. m: mti, request (its request's MTI), response, type (60.1), network (60.3).
local INSIDE = {}
INSIDE[22] = function(item, value, range)
  item:add(F.entry, range, (ENTRY[value:sub(1, 2)] or "other"))
  item:add(F.pin, range, value:sub(3) == "1" and "present" or value:sub(3) == "2" and "none" or "other")
end
INSIDE[39] = function(item, value, range, m)
  if m.request == "0400" and not m.response then
    item:add(F.reason, range, REASONS[value] or "unknown")
    return
  end
  local text = CODES[value] or "unknown code"
  item:add(F.code_text, range, text)
  if value ~= "00" then item:add_proto_expert_info(E.declined, value .. ": " .. text) end
  m.code = value .. " " .. text
end
INSIDE[48] = function(item, value, range, m)
  if m.request == "0500" then
    if #value ~= 62 then return note(item, "settlement totals have 62 digits") end
    item:add(F.f48_home, range, totals(value:sub(1, 31)))
    item:add(F.f48_foreign, range, totals(value:sub(32)))
  elseif m.request == "0320" and m.network == "201" then
    local count = tonumber(value:sub(1, 2))
    if not count or #value ~= 2 + 40 * count then return note(item, "a count and as many records of 40 digits") end
    for at = 3, #value, 40 do
      item:add(F.f48_record, range, string.format("type %s, trace %s, PAN %s, amount %s", value:sub(at, at + 1),
        value:sub(at + 2, at + 7), (value:sub(at + 8, at + 27):gsub("^0+", "")), value:sub(at + 28, at + 39)))
    end
  elseif m.request == "0320" then
    item:add(F.f48_count, range, value)
  end
end
INSIDE[53] = function(item, value, range)
  local formats = { ["0"] = "no PIN", ["1"] = "without PAN", ["2"] = "with PAN" }
  local algorithms = { ["0"] = "single DES", ["6"] = "double-length 3DES", ["3"] = "SM4", ["4"] = "SM4" }
  item:add(F.f53_format, range(0, 1), formats[value:sub(1, 1)] or "other")
  item:add(F.f53_algorithm, range(0, 1), algorithms[value:sub(2, 2)] or "other")
  item:add(F.f53_track, range(1, 1), value:sub(3, 3))
end
INSIDE[54] = function(item, value, range)
  if range:len() ~= 20 then return end
  item:add(F.f54_amount, range(8, 12), string.format("account %s, type %s, currency %s, %s %s", value:sub(1, 2),
    value:sub(3, 4), value:sub(5, 7), value:sub(8, 8), value:sub(9)))
end
INSIDE[55] = function(item, _, range) read_tlv(range:tvb(), item, 0) end
INSIDE[59] = function(item, _, range) read_text_tlv(range, item, 0) end
INSIDE[60] = function(item, value, range, m)
  local cuts = { { "f60_type", 1, 2 }, { "f60_batch", 3, 8 }, { "f60_network", 9, 11 }, { "f60_capability", 12, 12 },
    { "f60_chip", 13, 13 }, { "f60_partial", 14, 14 } }
  for _, cut in ipairs(cuts) do
    if #value >= cut[3] then item:add(F[cut[1]], range, value:sub(cut[2], cut[3])) end
  end
  if #value ~= 8 and #value ~= 11 and #value ~= 12 and #value ~= 13 and #value ~= 14 and #value ~= 17 then
    note(item, "8, 11, 13, 14 or 17 digits are known")
  end
end
INSIDE[61] = function(item, value, range)
  if #value < 12 then return note(item, "original batch and trace have 12 digits") end
  item:add(F.f61_batch, range, value:sub(1, 6))
  item:add(F.f61_trace, range, value:sub(7, 12))
  if #value > 12 then item:add(F.f61_date, range, value:sub(13, 16)) end
end
INSIDE[62] = function(item, value, range, m)
  local sign_in = m.request == "0800" and m.type == "00" and KEYS[m.network]
  if sign_in and m.response then
    local at = 0
    for _, part in ipairs(sign_in) do at = at + part[2] + 4 end
    if range:len() ~= at then return note(item, "the keys of " .. m.network .. " have " .. at .. " bytes") end
    at = 0
    for _, part in ipairs(sign_in) do
      item:add(F[part[1]], range(at, part[2]))
      item:add(F[part[1] .. "_kcv"], range(at + part[2], 4))
      at = at + part[2] + 4
    end
  elseif sign_in and range:len() >= 13 and range(0, 11):string() == "Sequence No" then
    local length = tonumber(range(11, 2):string(ENC_ISO_8859_1))
    if length ~= range:len() - 13 then return note(item, "the serial number is not as long as its length says") end
    if length > 0 then item:add(F.f62_serial, range(13), gbk(range(13))) end
  elseif m.type == "00" and LISTS[m.network] then
    local list = LISTS[m.network] == "list"
    if list and not m.response then
      item:add(F.f62_count, range, range:string(ENC_ISO_8859_1))
      return
    end
    local first = 0
    if m.response then
      item:add(F.f62_state, range(0, 1), STATES[range(0, 1):string(ENC_ISO_8859_1)] or "unknown")
      first = 1
    end
    if range:len() > first then read_tlv(range(first):tvb(), item, 0) end
  end
end
INSIDE[63] = function(item, _, range, m)
  if not m.response then
    item:add(F.f63_operator, range, gbk(range))
    return
  end
  item:add(F.f63_organisation, range(0, math.min(3, range:len())), gbk(range(0, math.min(3, range:len()))))
  for _, cut in ipairs({ { 3, 20 }, { 23, 20 }, { 43, 20 }, { 63, 936 } }) do
    local length = math.min(cut[2], range:len() - cut[1])
    if length > 0 then item:add(F.f63_text, range(cut[1], length), gbk(range(cut[1], length))) end
  end
end

local function name_of(m)
  if m.request == "0400" then return "reversal" end
  if m.type == "00" then return (NETWORK[m.request] or {})[m.network] end
  return (MONEY[m.request] or {})[m.type]
end

local function numbers_of(bits)
  local numbers = {}
  for byte = 0, 7 do
    local value = bits(byte, 1):uint()
    for bit = 0, 7 do
      if math.floor(value / 2 ^ (7 - bit)) % 2 == 1 then numbers[#numbers + 1] = byte * 8 + bit + 1 end
    end
  end
  return numbers
end

local function read_frame(tvb, pinfo, tree)
  local size = tvb:len()
  if size < 23 then fail(tvb(), "a frame has at least 23 bytes, this one " .. size) end
  tree:add(F.length, tvb(0, 2))
  if tvb(0, 2):uint() ~= size - 2 then fail(tvb(0, 2), "the length is not that of what follows") end
  local tpdu = tree:add(F.tpdu, tvb(2, 5), hex(tvb(2, 5)))
  tpdu:add(F.tpdu_destination, tvb(3, 2), hex(tvb(3, 2)))
  tpdu:add(F.tpdu_source, tvb(5, 2), hex(tvb(5, 2)))
  local header = tree:add(F.header, tvb(7, 6), hex(tvb(7, 6)))
  header:add(F.class, tvb(7, 1))
  header:add(F.version, tvb(8, 1), hex(tvb(8, 1)))
  header:add(F.status, tvb(9, 1))
  header:add(F.request, tvb(9, 1))
  header:add(F.sub_version, tvb(10, 3), hex(tvb(10, 3)))
  local m = { mti = hex(tvb(13, 2)) }
  if not decimal(m.mti) then fail(tvb(13, 2), "the message type " .. m.mti .. " is no number") end
  m.request, m.response = request_of(m.mti)
  m.item = tree:add(F.mti, tvb(13, 2), m.mti)
  m.item:append_text(string.format(" (%s %s)", MTI[m.mti:sub(1, 2)] or "unknown", m.response and "response" or "request"))
  local bitmap = tree:add(F.bitmap, tvb(15, 8), hex(tvb(15, 8)))
  local numbers, found = numbers_of(tvb(15, 8)), {}
  bitmap:append_text(" (" .. table.concat(numbers, ", ") .. ")")
  for _, number in ipairs(numbers) do
    if not FIELDS[number] then fail(tvb(15, 8), "bit " .. number .. " belongs to no field of this dialect") end
  end
  read_fields(tvb, numbers, has_text48(tvb, numbers), function(number, whole, value, range)
    local item = tree:add(F["f" .. number], whole, value)
    found[#found + 1] = { number = number, item = item, value = value, range = range }
    if number == 60 then m.type, m.network = value:sub(1, 2), value:sub(9, 11) end
  end)
  for _, field in ipairs(found) do
    if INSIDE[field.number] and field.range then
      INSIDE[field.number](field.item, field.value, field.range, m)
    elseif field.number == 60 then
      note(field.item, "it is empty")
    end
  end
  m.name = name_of(m)
  if m.name then tree:add(F.transaction, tvb(13, 2), m.name):set_generated() end
  return m
end

local function dissect_frame(tvb, pinfo, root)
  pinfo.cols.protocol = "UnionPay POS"
  local tree = root:add(hil97, tvb())
  local fine, result = pcall(read_frame, tvb, pinfo, tree)
  if fine then
    local words = result.mti .. (result.name and " " .. result.name or "") .. (result.code and " " .. result.code or "")
    tree:append_text(", " .. words)
    pinfo.cols.info:append("  " .. words)
  else
    local problem = type(result) == "table" and result or { words = tostring(result) }
    tree:add_proto_expert_info(E.malformed, problem.words)
    pinfo.cols.info:append("  [malformed: " .. problem.words .. "]")
  end
  return tvb:len()
end

local function length_of(tvb, _, offset) return tvb(offset, 2):uint() + 2 end

function hil97.dissector(tvb, pinfo, root)
  dissect_tcp_pdus(tvb, root, 2, length_of, dissect_frame)
  return tvb:len()
end

-- A whole frame as the body of an HTTP message (Content-Type: x-ISO-TPDU/x-auth).
local body = Proto("hil97_http", "UnionPay POS in HTTP")
function body.dissector(tvb, pinfo, root) return dissect_frame(tvb, pinfo, root) end

local function looks_like_one(tvb, pinfo, root)
  if not hil97.prefs.heuristic or tvb:len() < 23 then return false end
  local length, request = tvb(0, 2):uint(), hex(tvb(13, 2))
  if length < 21 or length > 4096 or tvb(2, 1):uint() ~= 0x60 or not CLASS[tvb(7, 1):uint()] then return false end
  if not MTI[request:sub(1, 2)] or not request:find("^%d%d[0-3]0$") and not request:find("^%d%d[1357]0$") then
    return false
  end
  pinfo.conversation = hil97
  hil97.dissector(tvb, pinfo, root)
  return true
end

local tcp_ports, registered = DissectorTable.get("tcp.port"), nil
local function follow_ports()
  if registered ~= hil97.prefs.ports then
    if registered then tcp_ports:remove(registered, hil97) end
    registered = hil97.prefs.ports
    tcp_ports:add(registered, hil97)
  end
end

tcp_ports:add_for_decode_as(hil97)
DissectorTable.get("tls.port"):add_for_decode_as(hil97)
DissectorTable.get("media_type"):add("x-iso-tpdu/x-auth", body)
hil97:register_heuristic("tcp", looks_like_one)
hil97.prefs_changed = follow_ports
follow_ports()
