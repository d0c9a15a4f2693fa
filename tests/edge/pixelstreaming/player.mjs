// The page of a player: Epic's own frontend, as a page that plays at once. Its settings come from the address.

import { Logger, LogLevel } from '@epicgames-ps/lib-pixelstreamingcommon-ue5.7';
import { Config, PixelStreaming } from '@epicgames-ps/lib-pixelstreamingfrontend-ue5.7';

import { goesOn } from './watch.mjs';

Logger.InitLogging(LogLevel.Warning, false);

const initialSettings = { AutoConnect: true, AutoPlayVideo: true, StartVideoMuted: true };
const videoElementParent = document.body.appendChild(document.createElement('div'));
videoElementParent.style.cssText = 'position: relative; width: 320px; height: 240px';
const config = new Config({ initialSettings, useUrlParams: true });
window.pixelStreaming = new PixelStreaming(config, { videoElementParent });
window.goesOn = (wanted) => goesOn(videoElementParent.querySelector('video'), wanted);
window.closings = [];
pixelStreaming.signallingProtocol.transport.on('close', ({ code }) => closings.push(code));
