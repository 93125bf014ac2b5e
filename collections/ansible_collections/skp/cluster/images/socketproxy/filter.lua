-- SPDX-License-Identifier: GPL-3.0-or-later
-- What a task of Airflow may ask of Docker: to run containers and services of its own, and nothing that gives it the node. Everything that is not named
-- here is refused, paths as well as fields of a request.
--
-- SKP_IMAGES    beginnings of image names, with commas between them
-- SKP_MOUNTS    directories of the node that may be mounted, exactly these: below one, a link could lead anywhere
-- SKP_NETWORKS  networks that may be joined
-- SKP_OBJECTS   beginnings of the names of swarm secrets and configs that may be used
-- SKP_OWN       beginning of the names of the cluster's own services, which a task must not have
-- SKP_TOKEN_FILE  what the proxies of the nodes show to those of the managers, default /run/secrets/airflow_docker_token

local SOCKET = os.getenv("SKP_ENGINE") or "/var/run/docker.sock"

local function list(name)
    local found = {}
    for word in (os.getenv(name) or ""):gmatch("[^,]+") do found[#found + 1] = word end
    return found
end

local IMAGES, MOUNTS, NETWORKS, OBJECTS = list("SKP_IMAGES"), list("SKP_MOUNTS"), list("SKP_NETWORKS"), list("SKP_OBJECTS")
local OWN = os.getenv("SKP_OWN") or "airflow-skp"

local function refuse(reason) error({refused = reason}, 0) end

local function begins(text, starts)
    for _, start in ipairs(starts) do
        if text:sub(1, #start) == start then return true end
    end
    return false
end

local function among(text, words)
    for _, word in ipairs(words) do
        if text == word then return true end
    end
    return false
end

-- JSON. Strict, because the engine reads it in its own way: keys in any case, a key that is there twice, letters written as escapes. Such a body is refused.
-- Strings stay as they are written; a checked one with a backslash equals nothing that is allowed.
local NULL = {}

local function decode(text)
    local at, depth = 1, 0
    local value

    local function bad(what) refuse("the body is no plain JSON: " .. what) end
    local function skip() at = text:match("^[ \t\r\n]*()", at) end
    local function take(char)
        skip()
        if text:sub(at, at) ~= char then return false end
        at = at + 1
        return true
    end
    local function quoted()
        local from, look = at + 1, at + 1
        while true do
            local stop = text:find('["\\%c]', look)
            if not stop then bad("a string has no end") end
            local char = text:sub(stop, stop)
            if char == '"' then
                at = stop + 1
                return text:sub(from, stop - 1)
            end
            if char ~= "\\" then bad("a control character in a string") end
            look = stop + 2
        end
    end
    local function object()
        local found = {}
        if take("}") then return found end
        repeat
            skip()
            if text:sub(at, at) ~= '"' then bad("a key is missing") end
            local key = quoted()
            if key:find("[\\\128-\255]") then bad("a key has other letters than those of ASCII") end
            if not take(":") then bad("a colon is missing") end
            local name = #found + 1
            found[name] = {key = key, value = value()}
        until not take(",")
        if not take("}") then bad("an object has no end") end
        return found
    end
    local function array()
        local found = {}
        if take("]") then return found end
        repeat found[#found + 1] = value() until not take(",")
        if not take("]") then bad("a list has no end") end
        return found
    end
    function value()
        skip()
        depth = depth + 1
        if depth > 32 then bad("it is nested too deep") end
        local char, found = text:sub(at, at), nil
        if char == '"' then
            found = {kind = "text", value = quoted()}
        elseif char == "{" then
            at = at + 1
            found = {kind = "object", value = object()}
        elseif char == "[" then
            at = at + 1
            found = {kind = "list", value = array()}
        else
            local word = text:match("^[%w.+-]+", at) or bad("a value is missing")
            at = at + #word
            if word == "null" then found = {kind = "null"}
            elseif word == "true" or word == "false" then found = {kind = "switch", value = word == "true"}
            elseif tonumber(word) then found = {kind = "number", value = tonumber(word)}
            else bad("found " .. word) end
        end
        depth = depth - 1
        return found
    end

    local found = value()
    skip()
    if at <= #text then bad("there is more after its end") end
    return found
end

-- Rules: functions of a value and its name for people. They refuse, or return.
local function any() end

local function empty(value, name)
    -- An empty list of masked or read-only paths means none, which opens the container.
    if name:lower():find("maskedpaths$") or name:lower():find("readonlypaths$") then return value.kind == "null" end
    if value.kind == "text" or value.kind == "list" or value.kind == "object" then return #value.value == 0 end
    return value.kind == "null" or value.value == false or value.value == 0
end

local function object(rules)
    return function(value, name)
        if value.kind ~= "object" then refuse(name .. " must be an object") end
        local seen = {}
        for _, entry in ipairs(value.value) do
            local key = entry.key:lower()
            local where = name == "" and entry.key or name .. "." .. entry.key
            if seen[key] then refuse(where .. " is there twice") end
            seen[key] = true
            if not empty(entry.value, where) then
                local rule = rules[key]
                if not rule then refuse(where .. " is not allowed") end
                rule(entry.value, where, value)
            end
        end
    end
end

local function each(rule)
    return function(value, name)
        if value.kind ~= "list" then refuse(name .. " must be a list") end
        for _, item in ipairs(value.value) do rule(item, name) end
    end
end

local function text(value, name)
    if value.kind ~= "text" or value.value:find("\\") then refuse(name .. " must be plain text") end
    return value.value
end

local function one_of(...)
    local words = {...}
    return function(value, name)
        local found = text(value, name)
        if not among(found, words) then refuse(name .. " is " .. found .. ", allowed: " .. table.concat(words, ", ")) end
    end
end

local function image_name(found, name)
    if not begins(found, IMAGES) then refuse(name .. " is " .. found .. ", allowed are images of " .. table.concat(IMAGES, ", ")) end
end

local function image(value, name) image_name(text(value, name), name) end

local function network(value, name)
    local found = text(value, name)
    if found == "default" then found = "bridge" end -- the same, for a container
    if not among(found, NETWORKS) then refuse(name .. " is " .. found .. ", allowed: " .. table.concat(NETWORKS, ", ")) end
end

local function labels(value, name, of_image)
    if value.kind ~= "object" then refuse(name .. " must be an object") end
    for _, entry in ipairs(value.value) do
        if entry.key ~= of_image and begins(entry.key:lower(), {"skp.", "com.docker."}) then refuse(name .. "." .. entry.key .. " is a label of the cluster") end
    end
end

local function own_name(found, name)
    if not found:find("^airflow[-_][%w_.-]+$") or found == OWN or begins(found, {OWN .. "-"}) then
        refuse(name .. " is " .. found .. ", expected a name that begins with airflow- and not with " .. OWN)
    end
end

local function field(value, wanted)
    for _, entry in ipairs(value.value) do
        if entry.key:lower() == wanted then return entry.value end
    end
    return {kind = "null"}
end

local function mount(value, name)
    object({type = one_of("bind", "tmpfs"), source = any, target = any, readonly = any, consistency = any, tmpfsoptions = any,
            bindoptions = object({propagation = one_of("rprivate", "private", "rslave", "slave")})})(value, name)
    local kind, source = text(field(value, "type"), name .. ".Type"), field(value, "source")
    if kind == "tmpfs" then
        if not empty(source, "Source") then refuse(name .. ".Source of a tmpfs is not allowed") end
    elseif not among(text(source, name .. ".Source"), MOUNTS) then
        refuse("the bind mount of " .. source.value .. " is not allowed; allowed: " .. table.concat(MOUNTS, ", "))
    end
end

local function endpoints(value, name)
    if value.kind ~= "object" then refuse(name .. " must be an object") end
    for _, entry in ipairs(value.value) do
        network({kind = "text", value = entry.key}, name)
        if not empty(entry.value, name) then object({})(entry.value, name .. "." .. entry.key) end
    end
end

local function reference(key)
    return object({
        [key .. "id"] = any,
        file = any,
        [key .. "name"] = function(value, name)
            if not begins(text(value, name), OBJECTS) then refuse(name .. " is " .. value.value .. ", which is not for tasks") end
        end,
    })
end

local HOST = object({
    networkmode = network, mounts = each(mount), tmpfs = any, memory = any, memoryswap = any, memoryreservation = any, nanocpus = any, cpushares = any,
    cpuquota = any, cpuperiod = any, cpusetcpus = any, shmsize = any, dns = any, dnssearch = any, dnsoptions = any, extrahosts = any, init = any,
    autoremove = any, readonlyrootfs = any, ulimits = any, pidslimit = any, devicerequests = any, capdrop = any,
    ipcmode = one_of("private", "none", "shareable"), isolation = one_of("default"),
    logconfig = object({type = one_of("json-file"), config = any}), restartpolicy = object({name = one_of("no")}),
    securityopt = each(one_of("no-new-privileges")),
})

local CONTAINER = object({
    image = image, cmd = any, entrypoint = any, env = any, user = any, workingdir = any, hostname = any, tty = any, openstdin = any, stdinonce = any,
    attachstdin = any, attachstdout = any, attachstderr = any, labels = labels, stopsignal = any, stoptimeout = any, healthcheck = any, hostconfig = HOST,
    networkingconfig = object({endpointsconfig = endpoints}),
})

local NETWORK_LIST = each(object({target = network}))

local SERVICE = object({
    name = function(value, name) own_name(text(value, name), name) end,
    labels = labels,
    mode = any, updateconfig = any, rollbackconfig = any, networks = NETWORK_LIST,
    endpointspec = object({mode = one_of("vip", "dnsrr")}),
    tasktemplate = object({
        resources = any, restartpolicy = any, placement = any, forceupdate = any, networks = NETWORK_LIST,
        logdriver = object({name = one_of("json-file"), options = any}),
        containerspec = object({
            image = image, command = any, args = any, env = any, dir = any, user = any, groups = any, tty = any, openstdin = any, hostname = any,
            labels = labels, mounts = each(mount), stopgraceperiod = any, stopsignal = any, healthcheck = any, hosts = any, dnsconfig = any, readonly = any,
            init = any, isolation = one_of("default"), ulimits = any, capabilitydrop = any, privileges = object({nonewprivileges = any}),
            secrets = each(reference("secret")), configs = each(reference("config")),
        }),
    }),
})

-- What a request asks of: only objects of tasks.
local function ask(path)
    local client = core.httpclient()
    local answer = client:get({url = "http://docker" .. path, dst = "unix@" .. SOCKET, timeout = 30000})
    if not answer or answer.status ~= 200 then return nil end
    return decode(answer.body)
end

local function deep(value, ...)
    for _, key in ipairs({...}) do
        if not value or value.kind ~= "object" then return {kind = "null"} end
        value = field(value, key)
    end
    return value
end

local function own_service(version, id)
    local found = ask(version .. "/services/" .. id)
    if not found then return end -- the engine says itself that there is none
    own_name(text(deep(found, "spec", "name"), "the service"), "the service")
    local marks = deep(found, "spec", "labels")
    if marks.kind == "object" then labels(marks, "the service") end
end

local function own_container(version, id)
    local found = ask(version .. "/containers/" .. id .. "/json")
    if not found then return end
    local marks = deep(found, "config", "labels")
    -- Every image of the cluster has skp.hash, and so has a task's container of it. The cluster's own containers have other labels as well.
    if marks.kind == "object" then labels(marks, "the container", "skp.hash") end
end

local function query(request)
    local found = {}
    for key, value in request.query:gmatch("([^&=]+)=([^&]*)") do
        local plain = value:gsub("+", " "):gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
        if found[key] then refuse(key .. " is there twice") end
        found[key] = plain
    end
    return found
end

local function only(request, keys)
    local found = query(request)
    for key in pairs(found) do
        if not among(key, keys) then refuse(key .. " is not allowed here") end
    end
    return found
end

local function no_body(request)
    if #request.body > 2 then refuse("a body is not allowed here") end
end

local function look() end
local function container(request, version, id) own_container(version, id) end
local function service(request, version, id) own_service(version, id) end

-- {method, path without the version, what is checked}. The paths of a node's own engine:
local NODE = {
    {"GET", "^/_ping$", look}, {"HEAD", "^/_ping$", look}, {"GET", "^/version$", look}, {"GET", "^/images/json$", look},
    {"GET", "^/images/[%w_./:@-]+/json$", look},
    {"POST", "^/images/create$", function(request)
        image_name(only(request, {"fromImage", "tag", "platform"}).fromImage or "nothing", "fromImage")
        no_body(request)
    end},
    {"POST", "^/containers/create$", function(request)
        local name = only(request, {"name", "platform"}).name
        if name then own_name(name, "name") end
        CONTAINER(decode(request.body), "")
    end},
    {"GET", "^/containers/([%w_.-]+)/json$", container}, {"GET", "^/containers/([%w_.-]+)/logs$", container},
    {"GET", "^/containers/([%w_.-]+)/stats$", container}, {"GET", "^/containers/([%w_.-]+)/archive$", container},
    {"POST", "^/containers/([%w_.-]+)/start$", function(request, version, id) no_body(request) own_container(version, id) end},
    {"POST", "^/containers/([%w_.-]+)/attach$", container}, {"POST", "^/containers/([%w_.-]+)/wait$", container},
    {"POST", "^/containers/([%w_.-]+)/stop$", container}, {"POST", "^/containers/([%w_.-]+)/kill$", container},
    {"DELETE", "^/containers/([%w_.-]+)$", container},
}
-- The paths of the swarm, on a manager:
local MANAGER = {
    {"GET", "^/_ping$", look},
    {"POST", "^/services/create$", function(request)
        local spec = decode(request.body)
        SERVICE(spec, "")
        own_name(text(field(spec, "name"), "Name"), "Name")
    end},
    {"GET", "^/services/([%w_.-]+)$", service}, {"GET", "^/services/([%w_.-]+)/logs$", service}, {"DELETE", "^/services/([%w_.-]+)$", service},
    {"GET", "^/tasks$", look}, {"GET", "^/tasks/[%w]+$", look},
    -- What is in a secret is never told; configs have none.
    {"GET", "^/secrets$", look}, {"GET", "^/configs$", look},
}

local function judge(rules, request)
    local version, path = request.path:match("^(/v1%.%d+)(/.*)$")
    version, path = version or "/v1.41", path or request.path
    for _, rule in ipairs(rules) do
        if rule[1] == request.method then
            local found = path:match(rule[2])
            if found and not path:find("..", 1, true) then return rule[3](request, version, found) end
        end
    end
    refuse(request.method .. " " .. request.path .. " is not among the calls that tasks may make")
end

local function answer(txn, status, message)
    message = message:sub(1, 300)
    core.log(core.notice, "refused: " .. message)
    local reply = txn:reply({status = status, reason = "Forbidden"})
    reply:add_header("content-type", "application/json")
    reply:set_body('{"message":"refused by the proxy of skp.cluster: ' .. message:gsub('[%c"\\]', " ") .. '"}\n')
    txn:done(reply)
end

local function filter(rules)
    return function(txn)
        local body = txn.sf:req_body()
        local request = {method = txn.sf:method(), path = txn.sf:path(), query = txn.sf:query(), body = body}
        local good, problem = pcall(function()
            -- What is not in the buffer would not be judged.
            local said = tonumber(txn.sf:req_fhdr("content-length")) or 0
            if said ~= #body or txn.sf:req_fhdr("transfer-encoding") ~= "" then refuse("the body is larger than 100 kB, or sent in pieces") end
            judge(rules, request)
        end)
        if not good then
            answer(txn, 403, type(problem) == "table" and problem.refused or "the request was not understood: " .. tostring(problem))
        end
    end
end

core.register_action("node", {"http-req"}, filter(NODE))
core.register_action("manager", {"http-req"}, filter(MANAGER))

local function token()
    local file = io.open(os.getenv("SKP_TOKEN_FILE") or "/run/secrets/airflow_docker_token")
    if not file then return nil end
    local found = file:read("l")
    file:close()
    return found
end

local TOKEN = token()

core.register_action("show_token", {"http-req"}, function(txn)
    if not TOKEN then return answer(txn, 403, "this node has no token for the managers") end
    txn.http:req_set_header("x-skp-token", TOKEN)
end)

core.register_action("check_token", {"http-req"}, function(txn)
    if not TOKEN or #TOKEN < 16 or txn.sf:req_hdr("x-skp-token") ~= TOKEN then return answer(txn, 403, "no token of a node") end
    txn.http:req_del_header("x-skp-token")
end)
