// viem for files that are outside of this folder's node_modules.
export * as viem from "viem";
