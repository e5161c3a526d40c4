"""The composition root: opens the adapters, builds the flow, owns start and stop."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import aioboto3
import aiohttp
from prometheus_client import CollectorRegistry

from worker import logs
from worker.adapters.darwin import DarwinApi
from worker.adapters.local_quota import LocalQuota
from worker.adapters.sqlite_ledger import SqliteLedger
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.backoff import backoff
from worker.core.conditions import Condition, Name
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.lanes import TeamLanes
from worker.core.model import Lane, Mode
from worker.core.routing import Fallback, Route, Routes, problems
from worker.logs import Event, log
from worker.metrics import Metrics
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.flow import Flow
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings, SettingsError
from worker.web.server import serving
