// What does every page of the house start with?
import htmx from "htmx.org";
import { startKeys } from "./keys";
import { startLive } from "./live";
import { startPresence } from "./presence";
import { startTheme } from "./theme";

// The content security policy allows neither inline style nor eval.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.allowScriptTags = false;
htmx.config.scrollIntoViewOnBoost = false;
htmx.config.historyCacheSize = 0; // no patient data in the browser's storage
htmx.config.refreshOnHistoryMiss = true;

document.documentElement.classList.add("scripted");
startTheme();
startKeys();
startPresence();
startLive();

// On a phone the chart's navigation scrolls sideways: the present page is brought into view.
document.querySelector(".chart-nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
