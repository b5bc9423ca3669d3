// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// What games put on a chain, as a studio would write it: the work whose dispatches are counted.

contract Gold is ERC20Permit, ERC20Votes {
    constructor() ERC20("Gold", "GLD") ERC20Permit("Gold") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }
}

contract Things is ERC1155, Ownable {
    mapping(address => bool) public minters;

    constructor() ERC1155("") Ownable(msg.sender) {}

    modifier onlyMinter() {
        require(minters[msg.sender], "not a minter");
        _;
    }

    function setMinter(address who, bool on) external onlyOwner {
        minters[who] = on;
    }

    function mint(address to, uint256 id, uint256 value) external onlyMinter {
        _mint(to, id, value, "");
    }

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata values) external onlyMinter {
        _mintBatch(to, ids, values, "");
    }

    function burnBatch(address from, uint256[] calldata ids, uint256[] calldata values) external onlyMinter {
        _burnBatch(from, ids, values);
    }
}

contract Market is ERC1155Holder, ReentrancyGuard {
    using SafeERC20 for IERC20;

    struct Listing {
        address seller;
        uint96 price;
        uint128 id;
        uint128 amount;
    }

    struct Auction {
        address seller;
        uint64 end;
        address leader;
        uint96 bid;
        uint256 id;
    }

    IERC1155 public immutable things;
    IERC20 public immutable gold;
    uint256 public constant FEE = 250;
    uint256 public feesHeld;
    uint256 public nextListing;
    uint256 public nextAuction;
    mapping(uint256 => Listing) public listings;
    mapping(uint256 => Auction) public auctions;

    event Listed(uint256 indexed listing, address indexed seller, uint256 id, uint256 amount, uint256 price);
    event Sold(uint256 indexed listing, address indexed buyer, uint256 amount, uint256 paid);
    event Bid(uint256 indexed auction, address indexed bidder, uint256 value);

    error TooFew(uint256 asked, uint256 left);
    error TooLow(uint256 offered, uint256 needed);

    constructor(IERC1155 things_, IERC20 gold_) {
        things = things_;
        gold = gold_;
    }

    function list(uint128 id, uint128 amount, uint96 price) external nonReentrant returns (uint256 listing) {
        listing = nextListing++;
        listings[listing] = Listing(msg.sender, price, id, amount);
        things.safeTransferFrom(msg.sender, address(this), id, amount, "");
        emit Listed(listing, msg.sender, id, amount, price);
    }

    function buy(uint256 listing, uint128 amount) external nonReentrant {
        Listing storage l = listings[listing];
        if (l.amount < amount) revert TooFew(amount, l.amount);
        l.amount -= amount;
        uint256 paid = uint256(l.price) * amount;
        uint256 fee = (paid * FEE) / 10_000;
        feesHeld += fee;
        gold.safeTransferFrom(msg.sender, address(this), paid);
        gold.safeTransfer(l.seller, paid - fee);
        things.safeTransferFrom(address(this), msg.sender, l.id, amount, "");
        emit Sold(listing, msg.sender, amount, paid);
    }

    function open(uint256 id, uint64 end) external nonReentrant returns (uint256 auction) {
        auction = nextAuction++;
        auctions[auction] = Auction(msg.sender, end, address(0), 0, id);
        things.safeTransferFrom(msg.sender, address(this), id, 1, "");
    }

    function bid(uint256 auction, uint96 value) external nonReentrant {
        Auction storage a = auctions[auction];
        require(block.timestamp < a.end, "over");
        uint256 needed = uint256(a.bid) + a.bid / 20 + 1;
        if (value < needed) revert TooLow(value, needed);
        (address before, uint96 back) = (a.leader, a.bid);
        (a.leader, a.bid) = (msg.sender, value);
        gold.safeTransferFrom(msg.sender, address(this), value);
        if (before != address(0)) gold.safeTransfer(before, back);
        emit Bid(auction, msg.sender, value);
    }
}

contract Crafting {
    struct Recipe {
        uint256[] inputs;
        uint256[] amounts;
        uint256 output;
        uint256 count;
        uint64 chance;
    }

    Things public immutable things;
    mapping(uint256 => Recipe) private _recipes;
    mapping(address => uint256) public crafted;
    mapping(address => mapping(bytes32 => uint256)) public stats;

    event Crafted(address indexed by, uint256 indexed recipe, bool lucky);

    constructor(Things things_) {
        things = things_;
    }

    function setRecipe(uint256 recipe, uint256[] calldata inputs, uint256[] calldata amounts, uint256 output, uint64 chance)
        external
    {
        _recipes[recipe] = Recipe(inputs, amounts, output, 1, chance);
    }

    function craft(uint256 recipe, string calldata note) external {
        Recipe storage r = _recipes[recipe];
        require(r.inputs.length != 0, "no such recipe");
        things.burnBatch(msg.sender, r.inputs, r.amounts);
        uint256 n = ++crafted[msg.sender];
        bool lucky = uint256(keccak256(abi.encodePacked(msg.sender, n, recipe, note))) % 100 < r.chance;
        things.mint(msg.sender, r.output, lucky ? 2 * r.count : r.count);
        stats[msg.sender]["crafted"] += 1;
        emit Crafted(msg.sender, recipe, lucky);
    }
}

contract Staking {
    using SafeERC20 for IERC20;

    IERC20 public immutable gold;
    uint256 public rate = 1e15;
    uint256 public total;
    uint256 public perShare;
    uint256 public updated;
    mapping(address => uint256) public staked;
    mapping(address => uint256) public paid;
    mapping(address => uint256) public owed;

    constructor(IERC20 gold_) {
        gold = gold_;
        updated = block.timestamp;
    }

    modifier settled(address who) {
        if (total != 0) perShare += (rate * (block.timestamp - updated) * 1e18) / total;
        updated = block.timestamp;
        owed[who] += (staked[who] * (perShare - paid[who])) / 1e18;
        paid[who] = perShare;
        _;
    }

    function stake(uint256 value) external settled(msg.sender) {
        staked[msg.sender] += value;
        total += value;
        gold.safeTransferFrom(msg.sender, address(this), value);
    }

    function unstake(uint256 value) external settled(msg.sender) {
        staked[msg.sender] -= value;
        total -= value;
        gold.safeTransfer(msg.sender, value);
    }

    function claim() external settled(msg.sender) {
        uint256 value = owed[msg.sender];
        owed[msg.sender] = 0;
        if (value != 0) gold.safeTransfer(msg.sender, value);
    }
}

/// Signers confirm off the chain; anyone brings their signatures.
contract Multisig {
    mapping(address => bool) public signers;
    uint256 public immutable needed;
    uint256 public nonce;

    constructor(address[] memory list, uint256 needed_) {
        for (uint256 i = 0; i < list.length; ++i) signers[list[i]] = true;
        needed = needed_;
    }

    function execute(address to, bytes calldata data, bytes[] calldata signatures) external {
        bytes32 digest = keccak256(abi.encode(block.chainid, address(this), nonce++, to, data));
        address last;
        require(signatures.length >= needed, "too few");
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            require(signer > last && signers[signer], "not in order or no signer");
            last = signer;
        }
        (bool ok,) = to.call(data);
        require(ok, "call failed");
    }
}

contract Council is Governor, GovernorCountingSimple, GovernorVotes {
    constructor(IVotes votes) Governor("Council") GovernorVotes(votes) {}

    function votingDelay() public pure override returns (uint256) {
        return 1;
    }

    function votingPeriod() public pure override returns (uint256) {
        return 6;
    }

    function quorum(uint256) public pure override returns (uint256) {
        return 1;
    }
}

contract Timelock is TimelockController {
    constructor(address[] memory who) TimelockController(0, who, who, address(0)) {}
}
