// A page that stands in for Unreal Engine: it streams a canvas, by WebRTC, to each player that subscribes.
//
// Its address says how it is called and what colours the halves of its picture have: ?id=lisbon&left=red&right=blue.

import {
    Logger,
    LogLevel,
    MessageHelpers,
    Messages,
    SignallingProtocol,
    WebSocketTransport,
} from '@epicgames-ps/lib-pixelstreamingcommon-ue5.7';

Logger.InitLogging(LogLevel.Warning, false);

const FRAMES_A_SECOND = 20;
const query = new URLSearchParams(location.search);
const message = (type, fields) => MessageHelpers.createMessage(Messages[type], fields);

/** The picture: two colours, and a bar at the top that moves, so that there are always new frames. */
function picture() {
    const canvas = document.body.appendChild(document.createElement('canvas'));
    [canvas.width, canvas.height] = [320, 240];
    const brush = canvas.getContext('2d');
    const fill = (colour, ...box) => {
        brush.fillStyle = colour;
        brush.fillRect(...box);
    };
    let frame = 0;
    const paint = () => {
        fill(query.get('left'), 0, 0, 160, 240);
        fill(query.get('right'), 160, 0, 160, 240);
        fill('white', (frame++ * 8) % 320, 0, 8, 16);
    };
    paint();
    setInterval(paint, 1000 / FRAMES_A_SECOND);
    return canvas.captureStream(FRAMES_A_SECOND);
}

const stream = picture();
const protocol = new SignallingProtocol(new WebSocketTransport());
const connections = new Map();
let options = {};

async function connect(playerId) {
    const connection = new RTCPeerConnection(options);
    connections.set(playerId, connection);
    stream.getTracks().forEach((track) => connection.addTrack(track, stream));
    connection.createDataChannel('datachannel');
    connection.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate) {
            protocol.sendMessage(message('iceCandidate', { candidate: candidate.toJSON(), playerId }));
        }
    };
    await connection.setLocalDescription();
    protocol.sendMessage(message('offer', { sdp: connection.localDescription.sdp, playerId }));
}

protocol.on('config', ({ peerConnectionOptions }) => (options = peerConnectionOptions));
protocol.on('identify', () => protocol.sendMessage(message('endpointId', { id: query.get('id') })));
protocol.on('playerConnected', ({ playerId }) => connect(playerId));
protocol.on('answer', ({ playerId, sdp }) => connections.get(playerId).setRemoteDescription({ type: 'answer', sdp }));
protocol.on('iceCandidate', ({ playerId, candidate }) => connections.get(playerId).addIceCandidate(candidate));
protocol.on('playerDisconnected', ({ playerId }) => {
    connections.get(playerId)?.close();
    connections.delete(playerId);
});
protocol.connect(`ws://${location.host}`);
