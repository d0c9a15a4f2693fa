// A signalling server in small: it brings players and streamers together, by the rules of Epic's own.
//
// node signalling.mjs ADDRESS. It serves players and streamers on a port each, both with the page for them. Lines of
// JSON on standard output: first the ports, then what happens, one event a line. It ends with its standard input.

import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { WebSocketServer } from 'ws';
import {
    Logger,
    LogLevel,
    MessageHelpers,
    Messages,
    SignallingProtocol,
    WebSocketTransportNJS,
} from '@epicgames-ps/lib-pixelstreamingcommon-ue5.7';

const FOR_THE_PLAYER = ['offer', 'answer', 'iceCandidate'];
const FOR_THE_STREAMER = [...FOR_THE_PLAYER, 'dataChannelRequest', 'peerDataChannelsReady', 'layerPreference'];

// Standard output is for events.
Logger.InitLogging(LogLevel.Warning, false);

const players = new Map();
const streamers = new Map();
let counted = 0;

const tell = (event, fields) => console.log(JSON.stringify({ event, ...fields }));
const message = (type, fields) => MessageHelpers.createMessage(Messages[type], fields);

/** Who is at the other end of a socket. The library must know each message that comes. */
function peer(socket, name) {
    const protocol = new SignallingProtocol(new WebSocketTransportNJS(socket));
    protocol.transport.on('message', (got) => {
        const sound = MessageHelpers.validateMessage(got) !== null;
        tell('message', { from: name, type: got.type, sound });
    });
    protocol.on('ping', ({ time }) => protocol.sendMessage(message('pong', { time })));
    const protocolVersion = SignallingProtocol.SIGNALLING_VERSION;
    protocol.sendMessage(message('config', { peerConnectionOptions: {}, protocolVersion }));
    return protocol;
}

function admitPlayer(socket) {
    const id = `Player${counted++}`;
    const protocol = peer(socket, id);
    const player = { id, protocol, streamer: null };
    players.set(id, player);
    tell('player', { id });

    const pass = (got) => player.streamer?.protocol.sendMessage({ ...got, playerId: id });
    const leave = () => {
        player.streamer?.protocol.sendMessage(message('playerDisconnected', { playerId: id }));
        player.streamer = null;
    };
    FOR_THE_STREAMER.forEach((type) => protocol.on(type, pass));
    protocol.on('listStreamers', () => protocol.sendMessage(message('streamerList', { ids: [...streamers.keys()] })));
    protocol.on('unsubscribe', leave);
    protocol.on('subscribe', ({ streamerId }) => {
        leave();
        player.streamer = streamers.get(streamerId) ?? null;
        if (player.streamer === null) {
            protocol.sendMessage(message('subscribeFailed', { message: `Streamer ${streamerId} does not exist.` }));
            return;
        }
        player.streamer.protocol.sendMessage(
            message('playerConnected', { playerId: id, dataChannel: true, sfu: false }),
        );
    });
    protocol.transport.on('close', ({ code, reason }) => {
        leave();
        players.delete(id);
        tell('left', { id, code, reason });
    });
}

function admitStreamer(socket) {
    const protocol = peer(socket, 'streamer');
    const streamer = { id: null, protocol };
    protocol.sendMessage(message('identify'));
    protocol.on('endpointId', ({ id }) => {
        streamer.id = id;
        streamers.set(id, streamer);
        protocol.sendMessage(message('endpointIdConfirm', { committedId: id }));
        tell('streamer', { id });
    });
    const pass = ({ playerId, ...rest }) => players.get(playerId)?.protocol.sendMessage(rest);
    FOR_THE_PLAYER.forEach((type) => protocol.on(type, pass));
    protocol.on('disconnectPlayer', ({ playerId, reason }) => players.get(playerId)?.protocol.disconnect(1011, reason));
    protocol.transport.on('close', () => {
        streamers.delete(streamer.id);
        // Epic's server closes such sockets without a code.
        const mine = [...players.values()].filter((player) => player.streamer === streamer);
        mine.forEach((player) => {
            player.streamer = null;
            player.protocol.disconnect();
        });
    });
}

/** The script of a page, with the libraries in it: as they are published, a browser cannot load them. */
async function script(name) {
    const here = fileURLToPath(new URL('.', import.meta.url));
    const built = await build({ entryPoints: [name], absWorkingDir: here, bundle: true, write: false });
    return built.outputFiles[0].text;
}

/** Serves the page and takes sockets on a port of its own, which is the answer. */
async function serve(address, name, admit) {
    const page = `<!doctype html><meta charset="utf-8"><title>${name}</title><body><script src="${name}.js"></script>`;
    const code = await script(`${name}.mjs`);
    const server = createServer((request, response) => {
        const { pathname } = new URL(request.url, 'http://here');
        const [type, body] = { '/': ['html', page], [`/${name}.js`]: ['javascript', code] }[pathname] ?? [];
        response.writeHead(body ? 200 : 404, { 'content-type': `text/${type ?? 'plain'}; charset=utf-8` }).end(body);
    });
    new WebSocketServer({ server }).on('connection', admit);
    await new Promise((resolve) => server.listen(0, address, resolve));
    return server.address().port;
}

const [address] = process.argv.slice(2);
const [player, streamer] = await Promise.all([
    serve(address, 'player', admitPlayer),
    serve(address, 'streamer', admitStreamer),
]);
tell('ports', { player, streamer });
process.stdin.on('end', () => process.exit()).resume();
